import { readFile } from "node:fs/promises";
import test from "ava";
import type { ExecutionContext } from "ava";
import { autoencoderLayout } from "../lib/checkpoint/keys/autoencoder.js";
import { clapLayout, clapTextLayout } from "../lib/checkpoint/keys/clap.js";
import { compilePattern, fillPattern } from "../lib/checkpoint/keys/pattern.js";
import { keptPrefix, planKeys } from "../lib/checkpoint/keys/plan.js";
import type { Direction, KeyPlan, Move } from "../lib/checkpoint/keys/plan.js";
import { fold, same } from "../lib/checkpoint/keys/table.js";
import type { KeyLayout } from "../lib/checkpoint/keys/table.js";
import { originalUNetShape, publishedUNetShape, unetLayout } from "../lib/checkpoint/keys/unet.js";
import { vocoderLayout, weightFormOf } from "../lib/checkpoint/keys/vocoder.js";
import { movedShapes } from "../lib/checkpoint/convert/moves.js";

type ShapeTable = Readonly<Record<string, readonly number[]>>;

interface Names {
  readonly laion: Readonly<Record<string, ShapeTable>>;
  readonly published: Readonly<Record<string, ShapeTable>>;
}

const names = JSON.parse(await readFile("test/goldens/conversion-names.json", "utf8")) as Names;

function clean(t: ExecutionContext, plan: KeyPlan): KeyPlan {
  t.deepEqual([plan.unknown, plan.missing, plan.twice], [[], [], []]);
  return plan;
}

/** Names and shapes of the other side. */
function moved(moves: readonly Move[], shapes: ShapeTable): ShapeTable {
  const result: Record<string, readonly number[]> = {};
  for (const move of moves) {
    const to = movedShapes(
      move,
      move.from.map((name) => shapes[name] ?? [NaN]),
    );
    to?.forEach((shape, i) => (result[move.to[i] ?? ""] = shape));
  }
  return result;
}

/** Move there and back; returns what lies on the other side without what was kept. */
function thereAndBack(t: ExecutionContext, shapes: ShapeTable, layout: KeyLayout): ShapeTable {
  const there = clean(t, planKeys(Object.keys(shapes), layout, "published"));
  t.deepEqual(there.dropped, []);
  const other = moved(there.moves, shapes);
  const all = { ...other, ...moved(there.kept, shapes) };
  const back = clean(t, planKeys(Object.keys(all), layout, "original"));
  t.deepEqual(moved([...back.moves, ...back.kept], all), shapes);
  return other;
}

test("patterns match whole names and fill others", (t) => {
  const pattern = compilePattern("layers.{i}.norm1.{leaf}");
  t.deepEqual({ ...pattern.exec("layers.12.norm1.bias")?.groups }, { i: "12", leaf: "bias" });
  for (const name of ["layers.x.norm1.bias", "layers.1.norm1.scale", "layersX1.norm1.bias"]) {
    t.is(pattern.exec(name), null, name);
  }
  t.is(compilePattern("a.{i}").exec("a.1.b"), null);
  t.is(fillPattern("up.{i}.{leaf}", { i: "3", leaf: "weight" }), "up.3.weight");
});

for (const name of ["htsat-tiny-roberta", "htsat-tiny-fused-roberta", "htsat-base-roberta"]) {
  test(`laion_clap's ${name} becomes transformers' ClapModel, name by name`, (t) => {
    const { laion, published } = names;
    const other = thereAndBack(t, laion[name] ?? {}, clapLayout("htsat"));
    const tables = ["text_model.embeddings.position_ids", "text_model.embeddings.token_type_ids"];
    const wanted = Object.entries(published[name] ?? {}).filter(([key]) => !tables.includes(key));
    t.deepEqual(other, Object.fromEntries(wanted));
  });
}

for (const name of ["pann-14-bert", "pann-10-bart", "pann-6-transformer"]) {
  test(`laion_clap's ${name} keeps the names of its towers`, (t) => {
    const shapes = names.laion[name] ?? {};
    const other = thereAndBack(t, shapes, clapLayout("pann"));
    t.true("audio_model.audio_encoder.conv_block1.conv1.weight" in other);
    t.true("audio_model.audio_encoder.fc1.weight" in other);
    t.false(Object.keys(other).some((key) => /spectrogram|logmel|fc_audioset/.test(key)));
    const inside = Object.keys(other).every((key) =>
      /^((audio|text)_(model|projection)\.|logit_scale_[at]$)/.test(key),
    );
    t.true(inside);
  });
}

test("the text half of a CLAP keeps the audio half beside it", (t) => {
  const other = thereAndBack(t, names.laion["htsat-tiny-roberta"] ?? {}, clapTextLayout);
  t.true(Object.keys(other).every((key) => /^text_(model|projection)\./.test(key)));
});

/** The published names of the full-size UNet by the numbers of its blocks. */
const unet = { levels: 4, layers: 2, upAttention: [true, true, true, false] };

test("the UNet's blocks are numbered as in the published conversion", (t) => {
  const layout = unetLayout(unet);
  const to = (name: string, direction: Direction = "published"): unknown =>
    planKeys([name], layout, direction).moves[0]?.to[0];
  const pairs = [
    ["film_emb.weight", "class_embedding.weight"],
    ["input_blocks.0.0.bias", "conv_in.bias"],
    ["input_blocks.3.0.op.weight", "down_blocks.0.downsamplers.0.conv.weight"],
    ["input_blocks.4.0.skip_connection.weight", "down_blocks.1.resnets.0.conv_shortcut.weight"],
    ["input_blocks.11.1.proj_in.weight", "down_blocks.3.attentions.1.proj_in.weight"],
    ["middle_block.2.emb_layers.1.bias", "mid_block.resnets.1.time_emb_proj.bias"],
    ["output_blocks.2.2.conv.weight", "up_blocks.0.upsamplers.0.conv.weight"],
    ["output_blocks.8.1.norm.bias", "up_blocks.2.attentions.2.norm.bias"],
    ["output_blocks.11.0.out_layers.3.weight", "up_blocks.3.resnets.2.conv2.weight"],
    ["out.2.bias", "conv_out.bias"],
  ] as const;
  for (const [original, published] of pairs) {
    t.is(to(original), published);
    t.is(to(published, "original"), original);
  }
  t.is(to("output_blocks.12.0.in_layers.0.weight"), undefined);
});

test("the shape of a UNet is read from the names of either side", (t) => {
  const ops = [3, 6, 9].map((i) => `input_blocks.${i}.0.op.weight`);
  const ups = [0, 3, 6].map((i) => `output_blocks.${i}.1.transformer_blocks.0.norm1.bias`);
  t.deepEqual(originalUNetShape([...ops, ...ups, "input_blocks.11.0.in_layers.0.bias"]), unet);
  const down = [0, 1, 2, 3].map((i) => `down_blocks.${i}.resnets.0.norm1.bias`);
  const attention = [0, 1, 2].map((i) => `up_blocks.${i}.attentions.0.norm.bias`);
  const second = "down_blocks.0.resnets.1.norm1.bias";
  t.deepEqual(publishedUNetShape([...down, second, ...attention]), unet);
  const single = originalUNetShape(["input_blocks.0.0.bias", "input_blocks.1.0.in_layers.0.bias"]);
  t.deepEqual(single, { levels: 1, layers: 1, upAttention: [false] });
});

test("without transformers the upsampler moves to the second place", (t) => {
  const plain = unetLayout({ ...unet, upAttention: [false, false, false, false] });
  const [move] = planKeys(["output_blocks.2.1.conv.bias"], plain, "published").moves;
  t.deepEqual(move?.to, ["up_blocks.0.upsamplers.0.conv.bias"]);
});

test("the autoencoder's levels of the decoder are counted from the other end", (t) => {
  const to = (name: string): unknown =>
    planKeys([name], autoencoderLayout(3), "published").moves[0]?.to[0];
  t.is(to("decoder.up.2.block.1.conv1.bias"), "decoder.up_blocks.0.resnets.1.conv1.bias");
  t.is(to("decoder.up.1.upsample.conv.bias"), "decoder.up_blocks.1.upsamplers.0.conv.bias");
  t.is(to("encoder.mid.attn_1.proj_out.bias"), "encoder.mid_block.attentions.0.to_out.0.bias");
  t.is(to("decoder.up.3.block.0.conv1.bias"), undefined);
});

test("a generator's form is told by its first layer", (t) => {
  t.is(weightFormOf(["conv_pre.weight_v"]), "weight_norm");
  t.is(weightFormOf(["conv_pre.parametrizations.weight.original1"]), "parametrized");
  t.is(weightFormOf(["conv_pre.weight"]), "plain");
  t.is(weightFormOf(["ups.0.weight"]), null);
});

test("magnitudes and directions are kept beside the folded weight and go back with it", (t) => {
  const layout = vocoderLayout("weight_norm", false);
  const there = planKeys(["ups.1.weight_g", "ups.1.weight_v"], layout, "published");
  t.deepEqual(there.moves[0]?.to, ["upsampler.1.weight"]);
  t.deepEqual(
    there.kept.flatMap(({ to }) => to),
    [`${keptPrefix}ups.1.weight_g`, `${keptPrefix}ups.1.weight_v`],
  );
  const all = [...there.moves, ...there.kept].flatMap(({ to }) => to);
  const back = planKeys([...all, "mean", "scale"], layout, "original");
  t.deepEqual([back.kept, back.dropped], [[], ["mean", "scale"]]);
  t.deepEqual(back.moves[0]?.to, ["ups.1.weight_g", "ups.1.weight_v"]);
  t.is(back.moves[0]?.from.length, 3);
});

test("unknown, missing and doubled names are told apart", (t) => {
  const layout: KeyLayout = {
    rows: [same("a.{i}", "b.{i}"), same("c", "b.1"), fold(["g", "v"], "w")],
    extra: [],
    derived: ["d"],
  };
  const plan = planKeys(["a.1", "c", "x", "v"], layout, "published");
  t.deepEqual([plan.unknown, plan.missing, plan.twice], [["x"], ["g"], ["b.1"]]);
  t.deepEqual(planKeys(["d", "b.2"], layout, "original").dropped, ["d"]);
});

test("shapes that cannot move are refused", (t) => {
  const base = { from: ["a"], to: ["b"], direction: "published" } as const;
  t.is(movedShapes({ ...base, to: ["q", "k", "v"], change: "split" }, [[7, 2]]), null);
  t.is(movedShapes({ ...base, change: "matrix" }, [[4, 4, 3, 3]]), null);
  t.is(movedShapes({ ...base, change: "fold" }, [[4], [4, 2]]), null);
  const join = { ...base, direction: "original", change: "split" } as const;
  t.is(
    movedShapes(join, [
      [2, 2],
      [2, 2],
      [3, 2],
    ]),
    null,
  );
  t.is(movedShapes({ ...join, change: "matrix" }, [[4]]), null);
});
