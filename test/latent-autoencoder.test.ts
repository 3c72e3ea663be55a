import test from "ava";
import { parseAutoencoderConfig } from "../lib/checkpoint/config/autoencoder.js";
import { Autoencoder } from "../lib/latent/autoencoder.js";
import { memory } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import type { Golden } from "./helpers/golden.js";
import { assertClose, openGolden, relativeNorm } from "./helpers/golden.js";
import { packings } from "./helpers/kernels.js";
import { measureSlopes } from "./helpers/gradient.js";

const names = ["vae-latent8", "vae-latent4"] as const;
const cases = ["frames4", "frames20", "frames52", "batch3"] as const;

async function build(golden: Golden): Promise<Autoencoder> {
  const { config } = parseAutoencoderConfig(golden.config, "golden");
  const vae = await Autoencoder.create(config);
  await vae.load(golden.under("weight."));
  return vae;
}

test.serial("leaves no handle behind", async (t) => {
  const { handles } = memory();
  {
    using golden = await openGolden("vae-latent4");
    using vae = await build(golden);
    using posterior = await vae.encode(golden.get("input.mel.frames4"));
    using latents = await posterior.sample({ seed: 1 });
    using mel = await vae.decode(latents);
    t.deepEqual(mel.shape, [1, 1, 4, 64]);
  }
  t.is(memory().handles, handles);
});

for (const name of names) {
  for (const packing of packings) {
    test.serial(`${name} encodes and decodes as diffusers, packed ${packing}`, async (t) => {
      using golden = await openGolden(name);
      using vae = await build(golden);
      await vae.pack(packing);
      for (const key of cases) {
        using posterior = await vae.encode(golden.get(`input.mel.${key}`));
        using mel = await vae.decode(golden.get(`input.latents.${key}`));
        const outputs = { mean: posterior.mean, logvar: posterior.logvar, mel };
        for (const [output, tensor] of Object.entries(outputs)) {
          await assertClose(t, [tensor, golden.get(`output.${output}.${key}`)], 1e-5, key + output);
        }
      }
    });
  }

  test.serial(`${name} turns with its input in circular time`, async (t) => {
    using golden = await openGolden(name);
    using vae = await build(golden);
    const options = { circular: true };
    const latents = golden.get("input.latents.frames52");
    using turned = await latents.roll(5, 2);
    using mel = await vae.decode(latents, options);
    using melOfTurned = await vae.decode(turned, options);
    using turnedMel = await mel.roll(5 * vae.downscale, 2);
    await assertClose(t, [melOfTurned, turnedMel], 1e-5, "decode");
    t.true((await relativeNorm(melOfTurned, mel)) > 0.1, "a turn is not the identity");
    using source = await turnedMel.roll(-3 * vae.downscale, 2);
    using moments = await vae.encode(turnedMel, options);
    using momentsOfTurned = await vae.encode(source, options);
    using turnedMean = await moments.mean.roll(-3, 2);
    await assertClose(t, [momentsOfTurned.mean, turnedMean], 1e-5, "encode");
    using straight = await vae.decode(latents);
    t.true((await relativeNorm(straight, mel)) > 1e-2, "circular time changes the borders");
  });
}

test.serial("attention over a long clip never holds all pairs of positions", async (t) => {
  using golden = await openGolden("vae-latent8");
  using vae = await build(golden);
  using latents = await Tensor.randn([1, 8, 1600, 16], { seed: 2 });
  const before = process.resourceUsage().maxRSS;
  using mel = await vae.decode(latents);
  const megabytes = (process.resourceUsage().maxRSS - before) / 1024;
  const pairsMegabytes = (1600 * 16) ** 2 * (4 / 2 ** 20);
  t.log(`${megabytes.toFixed(0)} MB; all pairs would take ${pairsMegabytes.toFixed(0)} MB`);
  t.deepEqual(mel.shape, [1, 1, 6400, 64]);
  t.true(megabytes < pairsMegabytes / 4);
});

test.serial("stops between blocks when aborted", async (t) => {
  using golden = await openGolden("vae-latent8");
  using vae = await build(golden);
  using latents = await Tensor.randn([1, 8, 1600, 16], { seed: 2 });
  const signal = AbortSignal.timeout(50);
  await t.throwsAsync(vae.decode(latents, { signal }), { code: "E_ABORTED" });
});

test.serial("a batch equals its items", async (t) => {
  using golden = await openGolden("vae-latent8");
  using vae = await build(golden);
  const latents = golden.get("input.latents.batch3");
  using together = await vae.decode(latents);
  for (let i = 0; i < 3; i += 1) {
    using one = await latents.slice(0, i, i + 1);
    using alone = await vae.decode(one);
    using item = await together.slice(0, i, i + 1);
    await assertClose(t, [alone, item], 1e-5, `item ${i}`);
  }
});

test.serial("odd sizes lose what makes no whole latent", async (t) => {
  using golden = await openGolden("vae-latent8");
  using vae = await build(golden);
  using mel = await Tensor.randn([1, 1, 11, 13], { seed: 5 });
  using posterior = await vae.encode(mel);
  t.deepEqual(posterior.mean.shape, [1, 8, 2, 3]);
});

test.serial("gradients equal finite differences", async (t) => {
  using golden = await openGolden("vae-latent4");
  using vae = await build(golden);
  await vae.requiresGrad();
  const loss = async (input: Tensor): Promise<Tensor> => {
    using mel = await vae.decode(input);
    using posterior = await vae.encode(mel);
    using sample = await posterior.sample({ seed: 3 });
    using square = await sample.mul(sample);
    return await square.mean();
  };
  const slopes = await measureSlopes(golden.get("input.latents.frames4"), loss, 1e-2);
  t.log(slopes);
  // Central differences in float32 are good to about 1e-3.
  t.true(Math.abs(slopes.difference / slopes.backward - 1) <= 5e-3);
  const gradients = await vae.grads();
  t.deepEqual(Object.keys(gradients).sort(), Object.keys(golden.under("weight.")).sort());
  for (const tensor of Object.values(gradients)) tensor.dispose();
});

test.serial("a seed means one sample, and noise is used as given", async (t) => {
  using golden = await openGolden("vae-latent4");
  using vae = await build(golden);
  using posterior = await vae.encode(golden.get("input.mel.frames4"));
  using one = await posterior.sample({ seed: 4 });
  using two = await posterior.sample({ seed: 4 });
  t.deepEqual(await one.data(), await two.data());
  using noise = await Tensor.zeros(posterior.mean.shape);
  using silent = await posterior.sample({ noise });
  using mode = await posterior.mode();
  t.deepEqual(await silent.data(), await mode.data());
  await t.throwsAsync(posterior.sample({ noise, seed: 1 }), { code: "E_ARGUMENT" });
});

test.serial("initialises by seed", async (t) => {
  using golden = await openGolden("vae-latent4");
  const { config } = parseAutoencoderConfig(golden.config, "golden");
  using one = await Autoencoder.create(config);
  using two = await Autoencoder.create(config);
  await one.initialise(7);
  await two.initialise(7);
  const latents = golden.get("input.latents.frames4");
  using first = await one.decode(latents);
  using second = await two.decode(latents);
  t.deepEqual(await first.data(), await second.data());
  t.true(await first.allFinite());
});

test.serial("names what a shape should have been", async (t) => {
  using golden = await openGolden("vae-latent8");
  using vae = await build(golden);
  const rejects = async (shape: number[], message: RegExp, circular = false): Promise<void> => {
    using mel = await Tensor.zeros(shape);
    await t.throwsAsync(vae.encode(mel, { circular }), { code: "E_SHAPE", message });
  };
  await rejects([1, 2, 8, 8], /\[batch, 1, frames >= 4, bins >= 4\] for mel .*\[1, 2, 8, 8\]/);
  await rejects([1, 1, 3, 8], /frames >= 4/);
  await rejects([1, 1, 8, 3], /bins >= 4/);
  await rejects([8, 8], /\[8, 8\]/);
  await rejects([1, 1, 10, 8], /a multiple of 4 frames/, true);
  using latents = await Tensor.zeros([1, 4, 2, 2]);
  await t.throwsAsync(vae.decode(latents), { code: "E_SHAPE", message: /\[batch, 8, / });
  using whole = await Tensor.zeros([1, 8, 2, 2], { dtype: "int64" });
  await t.throwsAsync(vae.decode(whole), { code: "E_DTYPE" });
});

test.serial("needs parameters, a fitting checkpoint, a live module and no abort", async (t) => {
  using golden = await openGolden("vae-latent4");
  const { config } = parseAutoencoderConfig(golden.config, "golden");
  const vae = await Autoencoder.create(config);
  const latents = golden.get("input.latents.frames4");
  await t.throwsAsync(vae.decode(latents), { code: "E_ARGUMENT" });
  const { "quant_conv.bias": bias, ...rest } = golden.under("weight.");
  t.truthy(bias);
  await t.throwsAsync(vae.load(rest), { code: "E_CHECKPOINT", message: /quant_conv\.bias/ });
  await vae.load(golden.under("weight."));
  const signal = AbortSignal.abort();
  await t.throwsAsync(vae.decode(latents, { signal }), { code: "E_ABORTED" });
  const running = vae.decode(latents);
  vae.dispose();
  vae.dispose();
  using mel = await running;
  t.deepEqual(mel.shape, [1, 1, 4, 64]);
  await t.throwsAsync(vae.decode(latents), { code: "E_DISPOSED" });
  const uneven = { ...config, norm_num_groups: 7 };
  await t.throwsAsync(Autoencoder.create(uneven), { code: "E_CONFIG" });
});
