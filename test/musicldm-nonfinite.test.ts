import test from "ava";
import { UNet } from "../lib/diffusion/unet.js";
import { MusicLDM } from "../lib/musicldm/musicldm.js";
import type { Tensor } from "../lib/tensor/tensor.js";
import { assertNothingLeft, changedFolder, openDebug } from "./helpers/model.js";
import type { Part } from "./helpers/model.js";
import { declareLifetimeTest } from "./helpers/tensor-ops.js";

declareLifetimeTest();

const clip = { prompt: "a", seconds: 0.1, steps: 2, seed: 1 } as const;
const audio = {
  samples: Float32Array.from({ length: 1600 }, (_, i) => Math.sin(i / 9)),
  sampleRate: 16_000,
};

const nan = async (tensor: Tensor) => tensor.mul(NaN);
const infinite = async (tensor: Tensor) => tensor.add(Infinity);
const zero = async (tensor: Tensor) => tensor.mul(0);

interface Broken {
  readonly part: Part;
  readonly name: string;
  readonly stage: string;
  readonly options?: object;
}

const broken: readonly Broken[] = [
  { part: "text_encoder", name: "text_projection.linear2.weight", stage: "text" },
  { part: "unet", name: "conv_out.weight", stage: "denoise" },
  { part: "unet", name: "time_embedding.linear_1.bias", stage: "denoise" },
  { part: "vae", name: "decoder.conv_out.bias", stage: "decode" },
  { part: "vae", name: "post_quant_conv.weight", stage: "decode", options: { output: "mel" } },
  { part: "vocoder", name: "conv_pre.weight", stage: "vocode" },
];

for (const { part, name, stage, options } of broken) {
  test.serial(`${name} of the ${part} that is not finite`, async (t) => {
    for (const change of [nan, infinite]) {
      using model = await MusicLDM.fromPretrained(await changedFolder(part, name, change));
      await assertNothingLeft(t, async () => {
        const call = model.generate({ ...clip, ...options });
        const error = await t.throwsAsync(call, { code: "E_NONFINITE" });
        t.log(error?.message);
        t.like(error, { details: { stage, step: 1 } });
        t.regex(error?.message ?? "", new RegExp(`stage ${stage}`));
      });
    }
  });
}

type Predict = (this: UNet, ...args: Parameters<UNet["predict"]>) => Promise<Tensor>;

test.serial("the step that goes wrong is named, and is the last", async (t) => {
  using model = await openDebug();
  const predict: Predict = Reflect.get(UNet.prototype, "predict");
  let evaluations = 0;
  const failing: Predict = async function (...args) {
    evaluations += 1;
    using output = await predict.apply(this, args);
    return await output.mul(evaluations === 3 ? Infinity : 1);
  };
  Reflect.set(UNet.prototype, "predict", failing);
  try {
    const call = model.generate({ ...clip, steps: 6 });
    const error = await t.throwsAsync(call, { code: "E_NONFINITE", message: /step 3/ });
    t.like(error, { details: { stage: "denoise", step: 3 } });
    t.is(evaluations, 3);
  } finally {
    Reflect.set(UNet.prototype, "predict", predict);
  }
});

test.serial("an encoder that is not finite", async (t) => {
  const folder = await changedFolder("vae", "encoder.conv_out.bias", nan);
  using model = await MusicLDM.fromPretrained(folder);
  await assertNothingLeft(t, async () => {
    const edit = { ...clip, seconds: undefined as never, audio, strength: 0.5 };
    const error = await t.throwsAsync(model.edit(edit), { code: "E_NONFINITE" });
    t.like(error, { details: { stage: "encode" } });
    await t.throwsAsync(model.encodeAudio(audio), { code: "E_NONFINITE" });
  });
  const { waveforms } = await model.generate(clip);
  t.is(waveforms[0]?.length, 1600);
});

test.serial("a silent result carries a warning for each item", async (t) => {
  const folder = await changedFolder("vocoder", "conv_post.weight", zero);
  using model = await MusicLDM.fromPretrained(folder);
  const { warnings, waveforms } = await model.generate({ ...clip, count: 2, seed: [5, 9] });
  t.deepEqual(new Set(waveforms.flatMap((samples) => [...samples])), new Set([0]));
  t.deepEqual(warnings, ["The item of seed 5 is silent", "The item of seed 9 is silent"]);
});

test.serial("invalid input", async (t) => {
  const folder = await changedFolder("unet", "conv_out.bias", async (tensor) =>
    tensor.reshape([2, 4]),
  );
  await assertNothingLeft(t, async () => {
    const error = await t.throwsAsync(MusicLDM.fromPretrained(folder), { code: "E_CHECKPOINT" });
    t.regex(error?.message ?? "", /conv_out\.bias/);
  });
});
