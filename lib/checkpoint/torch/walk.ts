import type { ReadContext } from "./context.js";
import { TorchObject, TorchTensor } from "./values.js";
import type { TorchValue } from "./values.js";

const maxDepth = 1000;
const maxPathLength = 4096;

interface Visit {
  readonly value: TorchValue;
  readonly path: string;
  readonly depth: number;
}

/**
 * Find the tensors below a value in the order of the file, by their path of keys and positions
 * joined with dots. A container is entered once, however often it is referred to, so that shared
 * and cyclic values cost no more than their size; what is in `seen` is passed over.
 *
 * Errors: `E_CHECKPOINT` (too deep, too long a path).
 */
export function* tensorsBelow(
  root: TorchValue,
  context: ReadContext,
  seen: Set<TorchValue> = new Set(),
): Generator<readonly [path: string, tensor: TorchTensor]> {
  const waiting: Visit[] = [{ value: root, path: "", depth: 0 }];
  for (let visit = waiting.pop(); visit; visit = waiting.pop()) {
    const { value, path, depth } = visit;
    if (value instanceof TorchTensor) {
      yield [checkedPath(path, context), value];
      continue;
    }
    if (typeof value !== "object" || value === null || seen.has(value)) continue;
    seen.add(value);
    if (depth > maxDepth) throw context.fault(`at most ${maxDepth} levels`, "the pickle", "more");
    const below = children(value).map(([key, child]) => ({
      value: child,
      path: path === "" ? key : `${path}.${key}`,
      depth: depth + 1,
    }));
    for (const child of below.reverse()) waiting.push(child);
  }
}

function checkedPath(path: string, context: ReadContext): string {
  if (path.length <= maxPathLength) return path === "" ? "tensor" : path;
  throw context.fault(`at most ${maxPathLength} characters`, "the name of a tensor", path);
}

function children(value: TorchValue): readonly (readonly [string, TorchValue])[] {
  if (Array.isArray(value)) {
    return (value as readonly TorchValue[]).flatMap((item, i) =>
      isLeaf(item) ? [] : [[String(i), item] as const],
    );
  }
  if (value instanceof Map) return pairs(value as Map<TorchValue, TorchValue>);
  if (value instanceof Set) return children([...(value as Set<TorchValue>)]);
  if (!(value instanceof TorchObject)) return [];
  const parts = [value.args, value.state, value.entries, value.items];
  return parts.flatMap((part) => (part === null ? [] : children(part)));
}

function pairs(
  dict: ReadonlyMap<TorchValue, TorchValue>,
): readonly (readonly [string, TorchValue])[] {
  return [...dict].flatMap(([key, value]) =>
    isLeaf(value) ? [] : [[keyText(key), value] as const],
  );
}

function isLeaf(value: TorchValue): boolean {
  return typeof value !== "object" || value === null;
}

function keyText(key: TorchValue): string {
  return typeof key === "object" && key !== null ? "()" : String(key);
}
