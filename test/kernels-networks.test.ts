import test from "ava";
import type { ExecutionContext } from "ava";
import type { UNet } from "../lib/diffusion/unet.js";
import type { Autoencoder } from "../lib/latent/autoencoder.js";
import { setThreads } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { assertPackedEqual, capabilities } from "./helpers/kernels.js";
import { restoreCapability, selectCapability } from "./helpers/kernels.js";
import { labelWidth, makeAutoencoder, makeUNet, oddWidths } from "./helpers/networks.js";

setThreads(1);
test.afterEach.always(restoreCapability);

const limit = 1e-5;
/**
 * Maps of 2 × 2 become 1 × 1, where the norm of a channel alone is bias plus rounding times
 * 1/√ε = 316; how libtorch rounds there differs among processors.
 */
const limitOfFew = 1e-4;

/** [batch, T, F] of latents. */
const sizes = [
  [1, 7, 5],
  [3, 2, 2],
  [1, 33, 3],
  [1, 256, 2],
  [3, 17, 16],
] as const;

type Size = (typeof sizes)[number];

async function checkUNet(t: ExecutionContext, unet: UNet, size: Size): Promise<void> {
  const [batch, frames, bins] = size;
  using latents = await Tensor.randn([batch, 5, frames, bins], { seed: 1 });
  using labels = await Tensor.randn([batch, labelWidth], { seed: 2 });
  for (const circular of [false, true]) {
    await assertPackedEqual(t, {
      module: unet,
      forward: () => unet.forward(latents, 501, labels, { circular }),
      limit: frames * bins <= 4 ? limitOfFew : limit,
      what: `UNet of ${unet.config.block_out_channels.join()}, ${size.join("x")} ${circular}`,
      inspect: ({ direct, winograd, product, attention, norm }, packing) => {
        t.true(direct > 0 && product > 0 && attention > 0 && norm > 0, "all operators");
        if (packing === "fast" && batch * frames * bins > 256) t.true(winograd > 0, "Winograd");
      },
    });
  }
}

async function checkVae(t: ExecutionContext, vae: Autoencoder, size: Size): Promise<void> {
  const [batch, frames, bins] = size;
  using latents = await Tensor.randn([batch, 5, frames, bins], { seed: 3 });
  // Encoders drop what makes no whole latent; circular time has none of that.
  using mel = await Tensor.randn([batch, 1, 4 * frames, 4 * bins + 3], { seed: 4 });
  const encode = async (circular: boolean): Promise<Tensor> => {
    using posterior = await vae.encode(mel, { circular });
    return await Tensor.cat([posterior.mean, posterior.logvar]);
  };
  for (const circular of [false, true]) {
    const what = `VAE of ${vae.config.block_out_channels.join()}, ${size.join("x")} ${circular}`;
    const forward = (): Promise<Tensor> => vae.decode(latents, { circular });
    await assertPackedEqual(t, { module: vae, forward, limit, what: `${what} decodes` });
    const encoding = { module: vae, forward: () => encode(circular), limit };
    await assertPackedEqual(t, { ...encoding, what: `${what} encodes` });
  }
}

for (const capability of capabilities) {
  test.serial(`${capability}: UNets of odd widths`, async (t) => {
    await selectCapability(capability);
    for (const widths of oddWidths) {
      using unet = await makeUNet(widths);
      for (const size of sizes) await checkUNet(t, unet, size);
    }
  });

  test.serial(`${capability}: autoencoders of odd widths`, async (t) => {
    await selectCapability(capability);
    for (const widths of oddWidths) {
      using vae = await makeAutoencoder(widths);
      for (const size of sizes) await checkVae(t, vae, size);
    }
  });
}
