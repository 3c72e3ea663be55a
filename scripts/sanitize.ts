// Generates with a build of the addon that checks itself: see sanitize.sh.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { initPretrained } from "../lib/musicldm/init.js";
import { MusicLDM } from "../lib/musicldm/musicldm.js";
import { presetNames } from "../lib/musicldm/presets.js";
import { expected } from "../lib/runtime/errors.js";
import { call } from "../lib/runtime/native.js";

/** A preset and the lengths to generate with it. */
interface Request {
  readonly preset: (typeof presetNames)[number];
  readonly seconds: readonly number[];
}

const everyLength: Request = { preset: "debug", seconds: [0.1, 0.37, 1, 2.5, 10.24, 60] };

function parseRequest(text: string): Request {
  const [name = "", lengths = ""] = text.split(":");
  const preset = presetNames.find((known) => known === name);
  const seconds = lengths.split(",").map(Number);
  if (preset !== undefined && seconds.every((length) => length >= 0.1)) return { preset, seconds };
  const what = `a preset of ${presetNames.join(", ")} and seconds, as debug:0.1,60`;
  throw expected("E_ARGUMENT", what, "a request", text);
}

async function generate(folder: string, { preset, seconds }: Request): Promise<void> {
  for (const packing of ["fast", "compact"] as const) {
    using model = await MusicLDM.fromPretrained(folder, { packing });
    for (const capability of await call<readonly string[]>("kernels.capabilities", [])) {
      await call("kernels.select_capability", [capability]);
      for (const length of seconds) {
        // A loop has whole latent frames, of 40 ms.
        const loop = packing === "compact" && Math.round(100 * length) % 4 === 0;
        const settings = { prompt: ["drums", "a flute"], steps: 2, seed: 1, batchSize: 2, loop };
        const { waveforms } = await model.generate({ ...settings, seconds: length });
        const samples = waveforms.map((wave) => wave.length).join(", ");
        process.stdout.write(`${preset} ${packing} ${capability} ${length} s: ${samples}\n`);
      }
    }
  }
}

const given = process.argv.slice(2).map(parseRequest);
for (const request of given.length > 0 ? given : [everyLength]) {
  const root = await mkdtemp(join(tmpdir(), "musicldm-sanitize-"));
  try {
    const folder = join(root, request.preset);
    await initPretrained({ preset: request.preset, folder, seed: 1 });
    await generate(folder, request);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
