import { UNet } from "../../lib/diffusion/unet.js";

const kinds = ["predict", "predictKeeping", "predictShallow"] as const;

/** A UNet evaluation: which of its passes, on how many rows. */
export type Watched = `${(typeof kinds)[number]} ${number}`;

type Pass = (this: UNet, latents: { readonly shape: readonly number[] }) => Promise<unknown>;

/** Watch the UNet evaluations of an action. */
export async function watchEvaluations(
  action: () => Promise<unknown>,
): Promise<readonly Watched[]> {
  const seen: Watched[] = [];
  const originals = kinds.map((kind) => [kind, Reflect.get(UNet.prototype, kind) as Pass] as const);
  for (const [kind, pass] of originals) {
    const watched: Pass = async function (latents, ...args) {
      seen.push(`${kind} ${latents.shape[0]!}`);
      return pass.call(this, latents, ...args);
    };
    Reflect.set(UNet.prototype, kind, watched);
  }
  try {
    await action();
  } finally {
    for (const [kind, pass] of originals) Reflect.set(UNet.prototype, kind, pass);
  }
  return seen;
}
