import type { Checkpoint } from "../../checkpoint/index.js";
import { noiseSource } from "./probes.js";
import { centred, correlation, digits } from "./report.js";
import type { VerifyCheck } from "./report.js";
import type { Statistics } from "./statistics.js";

/** Check that no weight is NaN, infinite, or zero as a whole where training leaves none so. */
export function checkValues(statistics: Statistics): VerifyCheck {
  const broken = [...statistics].filter(([, { isFinite }]) => !isFinite).map(([name]) => name);
  const dead = [...statistics]
    .filter(([name, { rms }]) => name.endsWith(".weight") && rms === 0)
    .map(([name]) => name);
  const found = [...broken, ...dead];
  const more = found.length > 3 ? ` and ${found.length - 3} more` : "";
  return {
    name: "weights are finite and not zero",
    ok: found.length === 0,
    value: found.length === 0 ? "all" : `${found.slice(0, 3).join(", ")}${more}`,
    expected: "no NaN, no infinity, no weight that is zero as a whole",
    hint: "the file is damaged or incomplete: obtain it again",
  };
}

/** A key's bias counts as small below this part of the smaller of the two other biases. */
const smallKey = 0.5;

/**
 * Check that query, key and value are not mixed up. A bias of the key adds the same to all logits
 * of a query, which the softmax does not see: no gradient moves it, and it stays near the 0 where
 * it starts while the biases of query and value grow.
 */
export function checkAttention(statistics: Statistics, isTrained: boolean): VerifyCheck {
  const roles: string[] = [];
  for (const [name, { rms: key }] of statistics) {
    const match = /^(.*\.)(key|k_proj)\.bias$/.exec(name);
    if (!match) continue;
    const [, prefix = "", style] = match;
    const names = style === "key" ? ["query", "value"] : ["q_proj", "v_proj"];
    const [query = NaN, value = NaN] = names.map(
      (role) => statistics.get(`${prefix}${role}.bias`)?.rms,
    );
    if (key < smallKey * Math.min(query, value)) roles.push("key");
    else if (query < smallKey * Math.min(key, value)) roles.push("query");
    else if (value < smallKey * Math.min(query, key)) roles.push("value");
  }
  const count = (role: string) => roles.filter((one) => one === role).length;
  const swapped = count("query") + count("value");
  const isKnown = isTrained && roles.length > 0;
  return {
    name: "query, key and value are in their places",
    ok: isKnown ? swapped < count("key") : null,
    value: isKnown
      ? `the smallest bias is the key's in ${count("key")} layers, another in ${swapped}`
      : "no layer has one bias far smaller than the others",
    expected: "the key's, which training does not move",
    hint: "a conversion has cut or named the joint weights of attention in another order",
  };
}

/** Fewer layers than this have too few orders. */
const leastLayers = 5;
const shuffles = 400;
/** Part of random orders that may be smoother than the order of a healthy stack. */
const mostSmoother = 0.25;

/**
 * Check that the layers of each stack are in order. The sizes of their weights change slowly with
 * depth, so that a walk through the layers is shorter in their order than in most others.
 */
export function checkOrder(statistics: Statistics, isTrained: boolean): VerifyCheck {
  const ranks = [...stacksOf(statistics)].map(([stack, layers]) => {
    return { stack, rank: rankOfOrder(layers) };
  });
  const worst = ranks.reduce((a, b) => (b.rank > a.rank ? b : a), { stack: "", rank: -1 });
  const isKnown = isTrained && ranks.length > 0;
  return {
    name: "layers are in order",
    ok: isKnown ? worst.rank <= mostSmoother : null,
    value: isKnown
      ? `${Math.round(100 * worst.rank)}% of random orders of ${worst.stack} are smoother`
      : `no trained stack of ${leastLayers} layers or more`,
    expected: `at most ${100 * mostSmoother}%`,
    hint: `the layers of ${worst.stack || "a stack"} may be permuted`,
  };
}

/** By stack: a list per layer of the logarithms of its weights' sizes. */
function stacksOf(statistics: Statistics): ReadonlyMap<string, readonly (readonly number[])[]> {
  const stacks = new Map<string, Map<string, number[]>>();
  for (const [name, { rms }] of statistics) {
    const match = /^(.*\.(?:layers?|blocks|resblocks))\.(\d+)\.(.+\.weight)$/.exec(name);
    if (!match || !(rms > 0)) continue;
    const [, stack = "", layer, suffix = ""] = match;
    const features = stacks.get(stack) ?? new Map<string, number[]>();
    stacks.set(stack, features);
    const sizes = features.get(suffix) ?? [];
    features.set(suffix, sizes);
    sizes[Number(layer)] = Math.log(rms);
  }
  const complete = [...stacks].flatMap(([stack, features]) => {
    const count = Math.max(...[...features.values()].map(({ length }) => length));
    const whole = [...features.values()].filter((sizes) => Object.keys(sizes).length === count);
    if (count < leastLayers || whole.length === 0) return [];
    const scaled = whole.map(standardised);
    const layers = Array.from({ length: count }, (_, i) => scaled.map((sizes) => sizes[i] ?? 0));
    return [[stack, layers] as const];
  });
  return new Map(complete);
}

function standardised(values: readonly number[]): readonly number[] {
  const parts = centred(values);
  const scale = Math.sqrt(parts.reduce((sum, value) => sum + value * value, 0));
  return parts.map((value) => (scale > 0 ? value / scale : 0));
}

/** The part of random orders in which the walk is shorter than in the given one. */
function rankOfOrder(layers: readonly (readonly number[])[]): number {
  const own = walk(layers);
  const draw = noiseSource(3);
  let shorter = 0;
  for (let i = 0; i < shuffles; i += 1) {
    const keys = layers.map((layer) => ({ layer, key: draw() }));
    const shuffled = keys.sort((a, b) => a.key - b.key).map(({ layer }) => layer);
    if (walk(shuffled) < own) shorter += 1;
  }
  return shorter / shuffles;
}

function walk(layers: readonly (readonly number[])[]): number {
  return layers.slice(1).reduce((sum, layer, i) => {
    const squares = layer.map((value, j) => (value - (layers[i]?.[j] ?? 0)) ** 2);
    return sum + Math.sqrt(squares.reduce((all, square) => all + square, 0));
  }, 0);
}

/** Tables of healthy models are smooth; below this they are no better than shuffled ones. */
const leastSmoothness = 0.1;

/**
 * Check that the tables of relative positions are in order: a window's neighbouring offsets have
 * similar biases, and the stored index is the one that the network computes.
 */
export async function checkPositions(
  checkpoint: Checkpoint,
  isTrained: boolean,
): Promise<VerifyCheck> {
  const smoothness: number[] = [];
  let wrongIndex: string | undefined;
  for (const { name } of checkpoint.entries) {
    if (name.endsWith(".relative_position_bias_table")) {
      smoothness.push(...(await tableSmoothness(checkpoint, name)));
    } else if (name.endsWith(".relative_position_index")) {
      if (!(await isRelativeIndex(checkpoint, name))) wrongIndex ??= name;
    }
  }
  const known = smoothness.filter((value) => value !== 0);
  const mean = known.reduce((sum, value) => sum + value, 0) / Math.max(1, known.length);
  const isKnown = isTrained && known.length > 0;
  const isSmooth = isKnown ? mean >= leastSmoothness : null;
  return {
    name: "relative positions are in order",
    ok: wrongIndex === undefined ? isSmooth : false,
    value: wrongIndex ?? (isKnown ? `neighbours correlate by ${digits(mean)}` : "no trained table"),
    expected: `the index of a window in every block, neighbours by at least ${leastSmoothness}`,
    hint: "tables of relative positions are permuted, or of another window",
  };
}

/** For each head the correlation of a table's entries with those one column further. */
async function tableSmoothness(checkpoint: Checkpoint, name: string): Promise<readonly number[]> {
  using table = await checkpoint.tensor(name, { dtype: "float32" });
  const [entries = 0, heads = 1] = table.shape;
  const side = Math.round(Math.sqrt(entries));
  const values = await table.floats();
  return Array.from({ length: heads }, (_, head) => {
    const at = (row: number, column: number) => values[(row * side + column) * heads + head] ?? 0;
    const left: number[] = [];
    const right: number[] = [];
    for (let row = 0; row < side; row += 1) {
      for (let column = 1; column < side; column += 1) {
        left.push(at(row, column - 1));
        right.push(at(row, column));
      }
    }
    return correlation(left, right);
  });
}

async function isRelativeIndex(checkpoint: Checkpoint, name: string): Promise<boolean> {
  using index = await checkpoint.tensor(name);
  const stored = [...(await index.data())].map(Number);
  const side = Math.round(Math.sqrt(index.shape[0] ?? 0));
  return stored.every((value, i) => {
    const [query, key] = [Math.floor(i / side ** 2), i % side ** 2];
    const rows = Math.floor(query / side) - Math.floor(key / side) + side - 1;
    return value === rows * (2 * side - 1) + (query % side) - (key % side) + side - 1;
  });
}
