import test from "ava";
import { runChild } from "./helpers/child.js";
import { debugFolder } from "./helpers/model.js";
import { declareLifetimeTest } from "./helpers/tensor-ops.js";

declareLifetimeTest();

const opening = `
import { MusicLDM } from "./lib/index.js";
import { memory } from "./lib/runtime/native.js";
import { Tensor } from "./lib/tensor/tensor.js";
const folder = ${JSON.stringify(debugFolder)};
const clip = { prompt: "a", seconds: 1, steps: 3, seed: 1 };
`;

test.serial("jobs keep the process alive until they settle", async (t) => {
  const { code, signal, stdout } = await runChild(`${opening}
    MusicLDM.fromPretrained(folder)
      .then((model) => model.generate(clip))
      .then(({ waveforms }) => console.log(waveforms[0].length));
  `);
  t.deepEqual({ code, signal, stdout }, { code: 0, signal: null, stdout: "16000\n" });
});

test.serial("an idle model does not keep the process alive", async (t) => {
  const { code, signal } = await runChild(`${opening}
    globalThis.model = await MusicLDM.fromPretrained(folder);
  `);
  t.deepEqual({ code, signal }, { code: 0, signal: null });
});

for (const stage of ["text", "denoise", "decode", "vocode"]) {
  test.serial(`process.exit() in mid-job: ${stage}`, async (t) => {
    const { code, signal, stderr } = await runChild(`${opening}
      const model = await MusicLDM.fromPretrained(folder);
      const onProgress = ({ stage }) => {
        if (stage === "${stage}") setTimeout(() => process.exit(7), 5);
      };
      await model.generate({ ...clip, seconds: 8, onProgress });
    `);
    t.deepEqual({ code, signal, stderr }, { code: 7, signal: null, stderr: "" });
  });
}

test.serial("process.exit() while workers compute", async (t) => {
  const { code, signal, stderr } = await runChild(`${opening}
    import { once } from "node:events";
    import { startWorker } from "./test/helpers/worker.js";
    const task = { folder, seed: 1, rounds: 1e6, ballast: 1 };
    const workers = [1, 2].map(() => startWorker("model-worker.ts", task));
    await Promise.all(workers.map((worker) => once(worker, "message")));
    process.exit(7);
  `);
  t.deepEqual({ code, signal, stderr }, { code: 7, signal: null, stderr: "" });
});

test.serial("an exception in mid-job ends the process as any other", async (t) => {
  const { code, signal, stderr } = await runChild(`${opening}
    const model = await MusicLDM.fromPretrained(folder);
    setTimeout(() => { throw new Error("of the caller"); }, 50);
    await model.generate({ ...clip, seconds: 8, steps: 100 });
  `);
  t.deepEqual({ code, signal }, { code: 1, signal: null });
  t.regex(stderr, /of the caller/);
});

test.serial("rejections that nobody sees any more", async (t) => {
  const unseen = await runChild(`${opening}
    const a = await Tensor.zeros([2, 3]);
    for (let i = 0; i < 100; i++) a.reshape([4]).catch(() => undefined);
    process.exit(0);
  `);
  t.deepEqual({ ...unseen }, { code: 0, signal: null, stdout: "", stderr: "" });
  const unhandled = await runChild(`${opening}
    const a = await Tensor.zeros([2, 3]);
    a.reshape([4]);
  `);
  t.deepEqual([unhandled.code, unhandled.signal], [1, null]);
  t.regex(unhandled.stderr, /E_SHAPE/);
});

test.serial("forgotten handles are freed by the garbage collector", async (t) => {
  const script = `${opening}
    import { setImmediate as turn } from "node:timers/promises";
    const make = async () => {
      for (let i = 0; i < 50; i++) await Tensor.zeros([256]);
      await MusicLDM.fromPretrained(folder);
    };
    await make();
    const before = memory();
    for (let i = 0; i < 20 && memory().handles > 0; i++) {
      globalThis.gc();
      await turn();
    }
    console.log(JSON.stringify([before, memory()]));
  `;
  const { code, signal, stdout } = await runChild(script, ["--expose-gc"]);
  t.deepEqual({ code, signal }, { code: 0, signal: null });
  t.log(stdout.trim());
  const [before, after] = JSON.parse(stdout) as { handles: number; bytes: number }[];
  t.true(before!.handles > 0 && before!.bytes > 0);
  t.deepEqual(after, { handles: 0, bytes: 0 });
});
