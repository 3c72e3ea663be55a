import test from "ava";
import type { ExecutionContext } from "ava";
import { loadAudio } from "../lib/audio/index.js";
import { Clap } from "../lib/clap/clap.js";
import { tensorOf } from "../lib/clap/unit.js";
import { memory, setThreads } from "../lib/runtime/native.js";
import { furthest } from "./helpers/clap.js";
import { assertClose, openGolden } from "./helpers/golden.js";
import type { Golden } from "./helpers/golden.js";
import { goldenWave } from "./helpers/waveform.js";

const start = memory();
setThreads(1);

test.after.always("lifetime: no handle is left", (t) => {
  t.deepEqual(memory(), start);
});

async function compare(
  t: ExecutionContext,
  rows: readonly Float32Array[],
  golden: Golden,
  name: string,
): Promise<void> {
  using actual = await tensorOf(rows);
  await assertClose(t, [actual, golden.get(name)], 1e-5, name);
}

/** Seconds of each clip of a golden, as Python wrote them. */
function secondsOf({ metadata }: Golden): readonly number[] {
  return JSON.parse(metadata["seconds"] ?? "[]") as number[];
}

for (const name of ["clap-tiny", "clap-tiny-fused"] as const) {
  test.serial(`${name}: from waveform to embedding as transformers' ClapModel`, async (t) => {
    using golden = await openGolden(`${name}-embeddings`);
    using clap = await Clap.fromPretrained(`test/goldens/${name}`);
    t.deepEqual(secondsOf(golden), [0.3, 1, 2.5, 5, 9.99, 10, 10.01, 37]);
    for (const seconds of secondsOf(golden)) {
      const wave = goldenWave(seconds);
      const [windows = []] = await clap.embedAudio([wave], { pool: "timeline" });
      const rows = windows.map(({ embedding }) => embedding);
      await compare(t, rows, golden, `output.windows.${seconds}`);
      t.is(windows.at(-1)?.endSeconds, wave.length / 48_000);
      if (!clap.isFused) continue;
      const whole = await clap.embedAudio([wave], { windows: "fusion" });
      await compare(t, whole, golden, `output.whole.${seconds}`);
    }
  });

  test.serial(`${name}: from waveform to embedding as laion_clap`, async (t) => {
    using golden = await openGolden(`${name}-embeddings`);
    using clap = await Clap.fromPretrained(`test/goldens/${name}`, { quantise: true });
    for (const seconds of secondsOf(golden)) {
      const wave = goldenWave(seconds);
      const [windows = []] = await clap.embedAudio([wave], { pool: "timeline" });
      const rows = windows.map(({ embedding }) => embedding);
      await compare(t, rows, golden, `output.laion.windows.${seconds}`);
      if (!clap.isFused) continue;
      const whole = await clap.embedAudio([wave], { windows: "fusion" });
      await compare(t, whole, golden, `output.laion.whole.${seconds}`);
    }
  });

  test.serial(`${name}: texts as transformers' ClapModel`, async (t) => {
    using golden = await openGolden(`${name}-embeddings`);
    using clap = await Clap.fromPretrained(`test/goldens/${name}`);
    const texts = JSON.parse(golden.metadata["texts"] ?? "[]") as string[];
    await compare(t, await clap.embedText(texts), golden, "output.text");
  });
}

test.serial("other rates are heard as what they are resampled to", async (t) => {
  using clap = await Clap.fromPretrained("test/goldens/clap-tiny");
  for (const rate of [16_000, 44_100]) {
    for (const seconds of [0.3, 2.5, 10, 12]) {
      const wave = goldenWave((seconds * rate) / 48_000);
      const clip = { channels: [wave], sampleRate: rate };
      const { channels } = await loadAudio(clip, { sampleRate: 48_000 });
      const [streamed] = await clap.embedAudio([clip]);
      const [resampled] = await clap.embedAudio([channels[0]!]);
      const [named] = await clap.embedAudio([wave], { inputSampleRate: rate });
      const distance = furthest(streamed!, resampled!);
      t.log(`${seconds} s at ${rate} Hz: ${distance.toExponential(1)} of 1e-6`);
      t.true(distance <= 1e-6, `${distance}`);
      t.true(furthest(streamed!, named!) <= 1e-6);
    }
  }
});

test.serial("the tower feels its input", async (t) => {
  using clap = await Clap.fromPretrained("test/goldens/clap-tiny");
  const [a, b] = await clap.embedAudio([goldenWave(1), goldenWave(5)]);
  t.true(furthest(a!, b!) > 1e-2, `${furthest(a!, b!)}`);
});
