import { expected } from "../../runtime/errors.js";
import { Tensor } from "../../tensor/tensor.js";
import type { Move } from "../keys/plan.js";

type Shape = readonly number[];

/** What a move makes of tensors of these shapes, or null where they do not fit. */
export function movedShapes(
  { change, direction, to }: Move,
  shapes: readonly Shape[],
): Shape[] | null {
  const [first = [], second = []] = shapes;
  const forward = direction === "published";
  switch (change) {
    case "same":
      return [first];
    case "split":
      return forward ? splitShapes(first, to.length) : joinShapes(shapes);
    case "matrix":
      return forward ? matrixShape(first) : first.length === 2 ? [[...first, 1, 1]] : null;
    case "fold":
      if (!forward) return [[first[0] ?? 0, ...first.slice(1).map(() => 1)], first];
      return foldable(first, second) ? [second] : null;
  }
}

function splitShapes([rows = 0, ...rest]: Shape, count: number): Shape[] | null {
  if (rows % count !== 0) return null;
  return Array.from({ length: count }, () => [rows / count, ...rest]);
}

function joinShapes(shapes: readonly Shape[]): Shape[] | null {
  const [first = []] = shapes;
  if (shapes.some((shape) => shape.join() !== first.join()) || first.length === 0) return null;
  const [rows = 0, ...rest] = first;
  return [[rows * shapes.length, ...rest]];
}

function matrixShape(shape: Shape): Shape[] | null {
  return shape.length >= 2 && shape.slice(2).every((size) => size === 1)
    ? [shape.slice(0, 2)]
    : null;
}

/** A magnitude for each entry of the direction's first axis. */
function foldable(magnitude: Shape, direction: Shape): boolean {
  return (
    magnitude.length === direction.length &&
    magnitude.every((size, axis) => size === (axis === 0 ? direction[0] : 1))
  );
}

/**
 * Make the tensors of the other side, without a copy where rows stay together. The results are the
 * caller's; so are the sources. Errors: `E_CHECKPOINT` where shapes do not fit.
 */
export async function applyMove(move: Move, sources: readonly Tensor[]): Promise<Tensor[]> {
  const shapes = sources.map(({ shape }) => shape);
  const wanted = movedShapes(move, shapes);
  const [first, second] = sources;
  if (wanted === null || first === undefined) throw misfit(move, shapes);
  const forward = move.direction === "published";
  switch (move.change) {
    case "split":
      if (forward) return first.split(wanted.map(([rows = 0]) => rows));
      return [await Tensor.cat(sources)];
    case "fold":
      if (forward && second) return [await foldNorm(first, second)];
      return unfoldNorm(first, sources.slice(1));
    default:
      return [await first.reshape(wanted[0] ?? [])];
  }
}

function misfit(move: Move, shapes: readonly Shape[]): Error {
  const what = `shapes that become ${move.to.join(", ")}`;
  const shown = shapes.map((shape) => `[${shape.join(", ")}]`).join(", ");
  return expected("E_CHECKPOINT", what, move.from.join(", "), shown);
}

/** w = g·v/‖v‖, with the norm over all axes but the first. */
export async function foldNorm(magnitude: Tensor, direction: Tensor): Promise<Tensor> {
  using norm = await magnitudeOf(direction);
  using factor = await magnitude.div(norm);
  return await direction.mul(factor);
}

/** Take back what was kept, unless the weight has changed since; then v = w and g = ‖w‖. */
async function unfoldNorm(weight: Tensor, kept: readonly Tensor[]): Promise<Tensor[]> {
  const [magnitude, direction] = kept;
  if (magnitude && direction && (await foldsTo(weight, magnitude, direction))) {
    return [await magnitude.detach(), await direction.detach()];
  }
  return [await magnitudeOf(weight), await weight.detach()];
}

async function foldsTo(weight: Tensor, magnitude: Tensor, direction: Tensor): Promise<boolean> {
  if (direction.shape.join() !== weight.shape.join()) return false;
  using folded = await foldNorm(magnitude, direction);
  using equal = await folded.eq(weight);
  using all = await equal.all();
  return (await all.item()) !== 0;
}

async function magnitudeOf(weight: Tensor): Promise<Tensor> {
  const axes = weight.shape.slice(1).map((_, i) => i + 1);
  return await weight.norm(axes, { keepDim: true });
}
