import { MusicLDMError } from "../../runtime/errors.js";
import type { DType } from "../../runtime/native.js";
import { throwIfAborted } from "../../runtime/native.js";
import type { Tensor } from "../../tensor/tensor.js";
import { keptPrefix, planKeys } from "../keys/plan.js";
import type { Direction, KeyPlan, Move } from "../keys/plan.js";
import type { KeyLayout } from "../keys/table.js";
import { applyMove, movedShapes } from "./moves.js";
import { Shapes } from "./shapes.js";
import type { Source } from "./source.js";

/** A network inside a checkpoint, and the layout that its names have or shall have. */
export interface PartRequest {
  readonly name: string;
  readonly file: string;
  readonly source: Source;
  /** Stored names by the names of the layout. */
  readonly stored: ReadonlyMap<string, string>;
  readonly layout: KeyLayout;
  readonly direction: Direction;
}

/** A network whose conversion is decided. */
export interface Part extends PartRequest {
  readonly plan: KeyPlan;
  /** Of what the moves make. */
  readonly shapes: Shapes;
  /** Shapes of what lies beside it on the original side. */
  readonly keptShapes: Shapes;
}

/** The tensors of a source whose names start so, without that start. */
export function under(source: Source, prefix: string): ReadonlyMap<string, string> {
  const inside = [...source.stored].filter(([name]) => name.startsWith(prefix));
  return new Map(inside.map(([name, stored]) => [name.slice(prefix.length), stored]));
}

/**
 * Decide what becomes of each tensor. Errors: `E_CHECKPOINT` listing all names that the layout does
 * not have, that are missing or doubled, and all shapes that do not fit.
 */
export function planPart(request: PartRequest): Part {
  const { layout, direction, file, name } = request;
  const plan = planKeys([...request.stored.keys()], layout, direction);
  const shapeOf = shapesOf(request);
  const shapes = new Map<string, readonly number[]>();
  const lines = complaints(plan);
  for (const move of plan.moves) {
    const from = move.from.map((each) => shapeOf.get(each) ?? []);
    const to = movedShapes(move, from);
    to?.forEach((shape, i) => shapes.set(move.to[i] ?? "", shape));
    if (to === null) lines.push(`${move.from.join(", ")}: cannot become ${move.to.join(", ")}`);
  }
  if (lines.length > 0) throw refusal(name, file, lines);
  const keptShapes = new Shapes(besides(plan, shapeOf), file);
  return { ...request, plan, shapes: new Shapes(shapes, file), keptShapes };
}

/** Shapes by original names of what is kept, or was by an earlier conversion. */
function besides(
  { kept }: KeyPlan,
  shapeOf: ReadonlyMap<string, readonly number[]>,
): ReadonlyMap<string, readonly number[]> {
  const now = kept.map(({ from: [name = ""] }) => [name, shapeOf.get(name) ?? []] as const);
  const earlier = [...shapeOf].filter(([name]) => name.startsWith(keptPrefix));
  return new Map([
    ...now,
    ...earlier.map(([name, shape]) => [name.slice(keptPrefix.length), shape] as const),
  ]);
}

function shapesOf({ source, stored }: PartRequest): ReadonlyMap<string, readonly number[]> {
  const byName = new Map(source.checkpoint.entries.map(({ name, shape }) => [name, shape]));
  return new Map([...stored].map(([name, full]) => [name, byName.get(full) ?? []]));
}

function complaints({ unknown, missing, twice }: KeyPlan): string[] {
  return [
    ...unknown.map((name) => `${name}: unknown`),
    ...missing.map((name) => `${name}: missing`),
    ...twice.map((name) => `${name}: made of two tensors`),
  ];
}

function refusal(name: string, file: string, lines: readonly string[]): MusicLDMError {
  const message =
    `Expected the tensors of ${name} in ${file} but received ${lines.length} mismatches:\n` +
    lines.map((line) => `  ${line}`).join("\n");
  const names = lines.map((line) => line.slice(0, line.indexOf(": ")));
  return new MusicLDMError("E_CHECKPOINT", message, { file, names });
}

export interface MakeOptions {
  /** Of floating-point tensors; default: as they are. */
  readonly dtype?: DType | undefined;
  /** Whether to take along what the published layout has no place for. */
  readonly keep: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Make the tensors of the other side; most share the memory of the mapped file. */
export async function makeTensors(
  part: Part,
  { dtype, keep, signal }: MakeOptions,
): Promise<Record<string, Tensor>> {
  const { plan, direction } = part;
  const moves = keep || direction === "original" ? [...plan.moves, ...plan.kept] : plan.moves;
  const made: Record<string, Tensor> = {};
  try {
    for (const move of moves) {
      throwIfAborted(signal);
      for (const [i, tensor] of (await make(part, move, dtype)).entries()) {
        made[move.to[i] ?? ""] = tensor;
      }
    }
    return made;
  } catch (error) {
    for (const tensor of Object.values(made)) tensor.dispose();
    throw error;
  }
}

async function make(part: Part, move: Move, dtype: DType | undefined): Promise<Tensor[]> {
  const { checkpoint } = part.source;
  const sources: Tensor[] = [];
  try {
    for (const name of move.from) {
      sources.push(await load(checkpoint, part.stored.get(name) ?? name, dtype));
    }
    const made = await applyMove(move, sources);
    return dtype === undefined ? made : await convertAll(made, dtype);
  } finally {
    for (const tensor of sources) tensor.dispose();
  }
}

/** F64 has no tensor of its own: it is read as what is asked for. */
async function load(
  checkpoint: Source["checkpoint"],
  name: string,
  dtype: DType | undefined,
): Promise<Tensor> {
  const isDouble = checkpoint.entries.some((entry) => entry.name === name && entry.dtype === "F64");
  return checkpoint.tensor(name, isDouble && dtype !== undefined ? { dtype } : {});
}

async function convertAll(tensors: readonly Tensor[], dtype: DType): Promise<Tensor[]> {
  const result: Tensor[] = [];
  for (const tensor of tensors) {
    if (tensor.dtype === "int64" || tensor.dtype === "bool" || tensor.dtype === dtype) {
      result.push(tensor);
      continue;
    }
    result.push(await tensor.to({ dtype }));
    tensor.dispose();
  }
  return result;
}
