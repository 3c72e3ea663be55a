import test from "ava";
import { setThreads } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { restoreCapability } from "./helpers/kernels.js";
import { openDebug } from "./helpers/model.js";
import { makeAutoencoder, oddWidths } from "./helpers/networks.js";

setThreads(1);
test.afterEach.always(restoreCapability);

interface Spent {
  /** Pages that the system had to find, of 4 KiB. */
  readonly faults: number;
  readonly residentMebibytes: number;
}

/** What each of some equal runs costs. JavaScript's own collector adds a few thousand faults. */
async function spend(runs: number, action: () => Promise<unknown>): Promise<readonly Spent[]> {
  const spent: Spent[] = [];
  for (let i = 0; i < runs; i += 1) {
    const before = process.resourceUsage().minorPageFault;
    await action();
    const faults = process.resourceUsage().minorPageFault - before;
    spent.push({ faults, residentMebibytes: process.memoryUsage.rss() / 2 ** 20 });
  }
  return spent;
}

test.serial("a network finds its memory again", async (t) => {
  using vae = await makeAutoencoder(oddWidths[1]!);
  using latents = await Tensor.randn([1, 5, 256, 16], { seed: 1 });
  // Two residual blocks at the last level alone write two maps each; a page holds 1024 numbers.
  const pages = (2 * 2 * 20 * 1024 * 64) / 1024;
  for (const packing of ["compact", "fast"] as const) {
    await vae.pack(packing);
    const run = async (): Promise<void> => (await vae.decode(latents)).dispose();
    const [first, , ...later] = await spend(5, run);
    const least = Math.min(...later.map(({ faults }) => faults));
    t.log(`${packing}: ${first?.faults} faults, then ${least}; the last level has ${pages} pages`);
    t.true(least < pages / 4, packing);
  }
});

test.serial("a second generation takes no more memory, and more steps take none", async (t) => {
  using model = await openDebug();
  const settings = { prompt: "waves", seconds: 10.24, seed: 1 };
  const generate = (steps: number) => (): Promise<unknown> =>
    model.generate({ ...settings, steps });
  await spend(2, generate(2));
  const few = await spend(3, generate(2));
  const many = await spend(3, generate(10));
  const least = (runs: readonly Spent[]): number => Math.min(...runs.map(({ faults }) => faults));
  // A guided step writes some thirty maps of 16 x 256 x 16 numbers: 4000 pages.
  t.log(`${least(few)} faults with 2 steps, ${least(many)} with 10`);
  t.true(least(many) < least(few) + 8 * 500, "a step takes less than 500 pages");
  const resident = [...few, ...many].map(({ residentMebibytes }) => residentMebibytes);
  t.log(`resident ${resident.map(Math.round).join(", ")} MiB`);
  t.true(resident.at(-1)! - resident[0]! < 32, "nothing piles up");
});
