import type { PickleStack } from "../stack.js";
import { TorchObject } from "../values.js";
import type { TorchValue } from "../values.js";
import { at } from "./operation.js";
import type { OperationEntry } from "./operation.js";

/** Marks, lists, tuples, dictionaries and sets. */
export const containers: readonly OperationEntry[] = [
  at("(", (stack) => stack.mark()),
  at("0", (stack) => void (stack.isEmpty ? stack.popMark() : stack.pop())),
  at("1", (stack) => void stack.popMark()),
  at("2", (stack) => stack.push(stack.top())),
  at("]", (stack) => list(stack, [])),
  at("l", (stack) => list(stack, stack.popMark())),
  at("a", (stack) => {
    const value = stack.pop();
    append(stack, [value]);
  }),
  at("e", (stack) => append(stack, stack.popMark())),
  at(")", (stack) => tuple(stack, [])),
  at("t", (stack) => tuple(stack, stack.popMark())),
  [0x85, (stack) => tuple(stack, take(stack, 1))],
  [0x86, (stack) => tuple(stack, take(stack, 2))],
  [0x87, (stack) => tuple(stack, take(stack, 3))],
  at("}", (stack) => dictionary(stack, [])),
  at("d", (stack) => dictionary(stack, stack.popMark())),
  at("s", (stack) => setItems(stack, take(stack, 2))),
  at("u", (stack) => setItems(stack, stack.popMark())),
  [0x8f, (stack) => set(stack, [])],
  [0x90, (stack) => addItems(stack, stack.popMark())],
  [0x91, (stack) => set(stack, stack.popMark())],
];

function take(stack: PickleStack, count: number): TorchValue[] {
  const taken: TorchValue[] = [];
  for (let i = 0; i < count; i++) taken.push(stack.pop());
  return taken.reverse();
}

function list(stack: PickleStack, items: TorchValue[]): void {
  stack.context.countContainer();
  stack.push(items);
}

/** Frozen, which tells a tuple from a list and keeps what is in it. */
function tuple(stack: PickleStack, items: TorchValue[]): void {
  stack.context.countContainer();
  stack.push(Object.freeze(items));
}

function dictionary(stack: PickleStack, pairs: TorchValue[]): void {
  stack.context.countContainer();
  stack.push(new Map<TorchValue, TorchValue>());
  setItems(stack, pairs);
}

function set(stack: PickleStack, items: TorchValue[]): void {
  stack.context.countContainer();
  stack.push(new Set(items));
}

function append(stack: PickleStack, items: readonly TorchValue[]): void {
  const target = stack.top();
  if (target instanceof TorchObject) target.items ??= [];
  const known = target instanceof TorchObject ? target.items : target;
  if (!Array.isArray(known) || Object.isFrozen(known)) {
    throw stack.context.fault("a list to append to", "the pickle", target);
  }
  for (const item of items) known.push(item);
}

function setItems(stack: PickleStack, pairs: readonly TorchValue[]): void {
  const target = stack.top();
  if (target instanceof TorchObject) target.entries ??= new Map<TorchValue, TorchValue>();
  const known = target instanceof TorchObject ? target.entries : target;
  if (!(known instanceof Map) || pairs.length % 2 !== 0) {
    throw stack.context.fault("a dictionary and pairs for it", "the pickle", target);
  }
  for (let i = 0; i < pairs.length; i += 2) known.set(pairs[i] ?? null, pairs[i + 1] ?? null);
}

function addItems(stack: PickleStack, items: readonly TorchValue[]): void {
  const target = stack.top();
  if (!(target instanceof Set)) {
    throw stack.context.fault("a set to add to", "the pickle", target);
  }
  for (const item of items) target.add(item);
}
