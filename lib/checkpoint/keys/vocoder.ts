import { fold, same } from "./table.js";
import type { KeyLayout, KeyRow } from "./table.js";

/**
 * How a generator stores its weights: folded, or as magnitude and direction under the names of
 * torch.nn.utils.weight_norm or of torch.nn.utils.parametrizations.weight_norm.
 */
export type WeightForm = "plain" | "weight_norm" | "parametrized";

const normNames = {
  weight_norm: ["weight_g", "weight_v"],
  parametrized: ["parametrizations.weight.original0", "parametrizations.weight.original1"],
} as const;

const layers = [
  ["conv_pre", "conv_pre"],
  ["ups.{i}", "upsampler.{i}"],
  ["resblocks.{i}.convs1.{j}", "resblocks.{i}.convs1.{j}"],
  ["resblocks.{i}.convs2.{j}", "resblocks.{i}.convs2.{j}"],
  ["conv_post", "conv_post"],
] as const;

function weight(original: string, published: string, form: WeightForm): KeyRow {
  if (form === "plain") return same(`${original}.weight`, `${published}.weight`);
  const [magnitude, direction] = normNames[form];
  return fold([`${original}.${magnitude}`, `${original}.${direction}`], `${published}.weight`);
}

/**
 * A HiFi-GAN generator (`jik876/hifi-gan: models.py`) and transformers' `SpeechT5HifiGan`.
 *
 * @param normalises whether mean and scale of the mel bins are the generator's own
 */
export function vocoderLayout(form: WeightForm, normalises: boolean): KeyLayout {
  const statistics = ["mean", "scale"];
  return {
    rows: [
      ...layers.flatMap(([original, published]) => [
        weight(original, published, form),
        same(`${original}.bias`, `${published}.bias`),
      ]),
      ...(normalises ? statistics.map((name) => same(name)) : []),
    ],
    extra: [],
    derived: normalises ? [] : statistics,
  };
}

/** Tell how the weights are stored by the first layer's name. */
export function weightFormOf(names: readonly string[]): WeightForm | null {
  const has = (name: string): boolean => names.includes(`conv_pre.${name}`);
  for (const form of ["weight_norm", "parametrized"] as const) {
    if (has(normNames[form][1])) return form;
  }
  return has("weight") ? "plain" : null;
}
