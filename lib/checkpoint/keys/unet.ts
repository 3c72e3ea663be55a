import { same } from "./table.js";
import type { KeyLayout, KeyRow } from "./table.js";

/** What the names of a UNet depend on. */
export interface UNetShape {
  readonly levels: number;
  readonly layers: number;
  /** Levels with transformers on the way up, the deepest first. */
  readonly upAttention: readonly boolean[];
}

const resnetParts = [
  ["in_layers.0", "norm1"],
  ["in_layers.2", "conv1"],
  ["emb_layers.1", "time_emb_proj"],
  ["out_layers.0", "norm2"],
  ["out_layers.3", "conv2"],
  ["skip_connection", "conv_shortcut"],
] as const;

function resnet(original: string, published: string): readonly KeyRow[] {
  return resnetParts.map(([from, to]) =>
    same(`${original}.${from}.{leaf}`, `${published}.${to}.{leaf}`),
  );
}

/** Layers that stand once, at both ends and in the middle. */
const ends: readonly KeyRow[] = [
  same("time_embed.0.{leaf}", "time_embedding.linear_1.{leaf}"),
  same("time_embed.2.{leaf}", "time_embedding.linear_2.{leaf}"),
  same("film_emb.{leaf}", "class_embedding.{leaf}"),
  same("input_blocks.0.0.{leaf}", "conv_in.{leaf}"),
  same("out.0.{leaf}", "conv_norm_out.{leaf}"),
  same("out.2.{leaf}", "conv_out.{leaf}"),
  ...resnet("middle_block.0", "mid_block.resnets.0"),
  same("middle_block.1.{rest}", "mid_block.attentions.0.{rest}"),
  ...resnet("middle_block.2", "mid_block.resnets.1"),
];

/** Input block i of level b: its layers, and the strided convolution to the next level. */
function down(level: number, layers: number): readonly KeyRow[] {
  const first = 1 + level * (layers + 1);
  const rows = range(layers).flatMap((layer) => [
    ...resnet(`input_blocks.${first + layer}.0`, `down_blocks.${level}.resnets.${layer}`),
    same(
      `input_blocks.${first + layer}.1.{rest}`,
      `down_blocks.${level}.attentions.${layer}.{rest}`,
    ),
  ]);
  const op = `input_blocks.${first + layers}.0.op.{leaf}`;
  return [...rows, same(op, `down_blocks.${level}.downsamplers.0.conv.{leaf}`)];
}

/** Output blocks of a level, deepest first; the last one ends in the convolution upwards. */
function up(level: number, layers: number, attends: boolean): readonly KeyRow[] {
  const first = level * (layers + 1);
  const upsampler = same(
    `output_blocks.${first + layers}.${attends ? 2 : 1}.conv.{leaf}`,
    `up_blocks.${level}.upsamplers.0.conv.{leaf}`,
  );
  const rows = range(layers + 1).flatMap((layer) => {
    const [original, published] = [`output_blocks.${first + layer}`, `up_blocks.${level}`];
    const attention = same(`${original}.1.{rest}`, `${published}.attentions.${layer}.{rest}`);
    return [
      ...resnet(`${original}.0`, `${published}.resnets.${layer}`),
      ...(attends ? [attention] : []),
    ];
  });
  return [upsampler, ...rows];
}

function range(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** The UNet of latent diffusion (`openaimodel.py`) and diffusers' `UNet2DConditionModel`. */
export function unetLayout({ levels, layers, upAttention }: UNetShape): KeyLayout {
  const rows = range(levels).flatMap((level) => [
    ...down(level, layers),
    ...up(level, layers, upAttention[level] === true),
  ]);
  return { rows: [...ends, ...rows], extra: [], derived: [] };
}

/** Read the shape of a UNet off its original names, without prefix. */
export function originalUNetShape(names: readonly string[]): UNetShape {
  const numbers = (pattern: RegExp): readonly number[] =>
    names.flatMap((name) => {
      const found = pattern.exec(name)?.[1];
      return found === undefined ? [] : [Number(found)];
    });
  const blocks = Math.max(0, ...numbers(/^input_blocks\.(\d+)\./));
  const strided = numbers(/^input_blocks\.(\d+)\.0\.op\.weight$/);
  const layers = Math.min(blocks, ...strided.map((block) => block - 1));
  const levels = strided.length + 1;
  const attending = new Set(numbers(/^output_blocks\.(\d+)\.1\.transformer_blocks\./));
  const upAttention = range(levels).map((level) => attending.has(level * (layers + 1)));
  return { levels, layers, upAttention };
}

/** Read the shape of a UNet off its published names. */
export function publishedUNetShape(names: readonly string[]): UNetShape {
  const levels = countOf(names, /^down_blocks\.(\d+)\./);
  const layers = countOf(names, /^down_blocks\.0\.resnets\.(\d+)\./);
  const upAttention = range(levels).map((level) =>
    names.some((name) => name.startsWith(`up_blocks.${level}.attentions.`)),
  );
  return { levels, layers, upAttention };
}

/** How many different numbers a pattern finds. */
export function countOf(names: readonly string[], pattern: RegExp): number {
  return new Set(names.flatMap((name) => pattern.exec(name)?.[1] ?? [])).size;
}
