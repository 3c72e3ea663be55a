import { readFile } from "node:fs/promises";
import test from "ava";
import { parseClapText } from "../lib/checkpoint/config/clap-text.js";
import { clapConfig, isPann } from "../lib/checkpoint/convert/clap-config.js";
import { movedShapes } from "../lib/checkpoint/convert/moves.js";
import { unetConfig, vocoderConfig } from "../lib/checkpoint/convert/network-config.js";
import { Shapes } from "../lib/checkpoint/convert/shapes.js";
import type { Json } from "../lib/checkpoint/convert/types.js";
import { clapLayout } from "../lib/checkpoint/keys/clap.js";
import { planKeys } from "../lib/checkpoint/keys/plan.js";
import { clapPresets } from "../lib/clap/presets.js";
import { MusicLDMError } from "../lib/runtime/errors.js";

type ShapeTable = Readonly<Record<string, readonly number[]>>;

const golden = JSON.parse(await readFile("test/goldens/conversion-names.json", "utf8")) as {
  readonly laion: Readonly<Record<string, ShapeTable>>;
};

/** The configuration that a full-size model of laion_clap has by its shapes. */
function derived(name: string): { readonly text_config: Json; readonly audio_config: Json } {
  const table = golden.laion[name] ?? {};
  const names = Object.keys(table);
  const layout = clapLayout(isPann({ names }) ? "pann" : "htsat");
  const { moves, kept } = planKeys(names, layout, "published");
  const shapes = new Map<string, readonly number[]>();
  for (const move of moves) {
    const to = movedShapes(
      move,
      move.from.map((each) => table[each] ?? []),
    );
    to?.forEach((shape, i) => shapes.set(move.to[i] ?? "", shape));
  }
  const beside = kept.map(({ from: [each = ""] }) => [each, table[each] ?? []] as const);
  const config = clapConfig(new Shapes(shapes, "f"), new Shapes(new Map(beside), "f"));
  return config as ReturnType<typeof derived>;
}

for (const [name, preset] of [
  ["htsat-tiny-roberta", "htsat-tiny"],
  ["htsat-base-roberta", "htsat-base"],
  ["htsat-tiny-fused-roberta", "htsat-tiny-fused"],
] as const) {
  test(`${name} has the sizes of the published ${preset}`, (t) => {
    const { text_config: text, audio_config: audio } = derived(name);
    const { model } = clapPresets[preset];
    // What differs is laion_clap's own: its epsilon, its dropout, its name for the fusion.
    const own = { layer_norm_eps: 1e-5 };
    t.like({ ...model.text_config, ...own }, text);
    const { hidden_dropout_prob, drop_path_rate, fusion_type, ...rest } = audio;
    t.like(model.audio_config, rest);
    t.deepEqual([hidden_dropout_prob, drop_path_rate], [0, 0.1]);
    t.is(fusion_type, name.includes("fused") ? "aff_2d" : null);
  });
}

test("the kinds of PANN and of text tower are told apart", (t) => {
  const bert = derived("pann-14-bert");
  t.like(bert.audio_config, { model_type: "pann", arch: "cnn14", hidden_size: 2048 });
  t.like(bert.text_config, {
    model_type: "bert",
    vocab_size: 30_522,
    hidden_size: 768,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    max_position_embeddings: 512,
    layer_norm_eps: 1e-12,
    projection_dim: 512,
  });
  const bart = derived("pann-10-bart");
  t.like(bart.audio_config, { arch: "cnn10", hidden_size: 1024, enable_fusion: false });
  t.like(bart.text_config, {
    model_type: "bart",
    vocab_size: 50_265,
    d_model: 768,
    encoder_layers: 6,
    encoder_attention_heads: 12,
    encoder_ffn_dim: 3072,
    max_position_embeddings: 1024,
  });
  const clip = derived("pann-6-transformer");
  t.like(clip.audio_config, { arch: "cnn6", hidden_size: 512 });
  t.like(clip.text_config, {
    model_type: "clip_text_model",
    vocab_size: 49_408,
    context_length: 77,
    width: 512,
    heads: 8,
    layers: 12,
  });
  for (const { text_config: text } of [bert, bart, clip]) {
    t.deepEqual(parseClapText(text, "f").unknownKeys, []);
  }
});

/** The tensors of a generator from which its configuration is read. */
function generator(bins: number, kernels: readonly number[], stacks: readonly number[]): Shapes {
  const entries: [string, readonly number[]][] = [["conv_pre.weight", [512, bins, 7]]];
  kernels.forEach((size, i) => entries.push([`upsampler.${i}.weight`, [512, 256, size]]));
  for (let i = 0; i < kernels.length * stacks.length; ++i) {
    const size = stacks[i % stacks.length] ?? 3;
    for (const j of [0, 1, 2]) entries.push([`resblocks.${i}.convs1.${j}.weight`, [8, 8, size]]);
  }
  return new Shapes(new Map(entries), "f");
}

test("strides are those of the published generator of the kernels, or half of them", (t) => {
  const music = vocoderConfig(generator(64, [16, 16, 8, 4, 4], [3, 7, 11]), false);
  t.like(music, { upsample_rates: [5, 4, 2, 2, 2], sampling_rate: 16_000 });
  t.deepEqual(music["resblock_kernel_sizes"], [3, 7, 11]);
  const first = vocoderConfig(generator(80, [16, 16, 4, 4], [3, 7, 11]), true);
  t.like(first, { upsample_rates: [8, 8, 2, 2], sampling_rate: 22_050, normalize_before: true });
  const other = vocoderConfig(generator(64, [12, 6], [3]), false);
  t.like(other, { upsample_rates: [6, 3], resblock_dilation_sizes: [[1, 3, 5]] });
});

test("a tensor that a configuration needs is named", (t) => {
  const error = t.throws(() => unetConfig(new Shapes(new Map(), "some.ckpt")), {
    instanceOf: MusicLDMError,
    message: /class_embedding\.weight with axis 0 in some\.ckpt/,
  });
  t.is(error.code, "E_CHECKPOINT");
});
