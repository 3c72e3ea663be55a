import { build, construct } from "../globals.js";
import type { PickleInput } from "../input.js";
import type { PickleStack } from "../stack.js";
import { TorchName, TorchObject } from "../values.js";
import type { TorchValue } from "../values.js";
import { at } from "./operation.js";
import type { OperationEntry } from "./operation.js";

/** Globals, instances, persistent identifiers and the memo. */
export const objects: readonly OperationEntry[] = [
  at("c", (stack, input) => {
    const module = line(input);
    stack.push(stack.name(module, line(input)));
  }),
  [0x93, stackGlobal],
  at("R", (stack) => {
    const args = tuple(stack, stack.pop());
    stack.push(build(global(stack, stack.pop()), args, stack.context));
  }),
  at("b", setState),
  [0x81, (stack) => instance(stack, tuple(stack, stack.pop()))],
  [
    0x92,
    (stack) => {
      const named = stack.pop();
      instance(stack, [...tuple(stack, stack.pop()), named]);
    },
  ],
  at("i", (stack, input) => {
    const module = line(input);
    const name = stack.name(module, line(input));
    stack.push(construct(name, Object.freeze(stack.popMark()), stack.context));
  }),
  at("o", (stack) => {
    const [name, ...args] = stack.popMark();
    stack.push(construct(global(stack, name ?? null), Object.freeze(args), stack.context));
  }),
  at("Q", (stack) => stack.push(stack.load(stack.pop()))),
  at("p", (stack, input) => stack.remember(lineIndex(stack, input))),
  at("q", (stack, input) => stack.remember(input.byte())),
  at("r", (stack, input) => stack.remember(input.uint32())),
  at("g", (stack, input) => stack.recall(lineIndex(stack, input))),
  at("h", (stack, input) => stack.recall(input.byte())),
  at("j", (stack, input) => stack.recall(input.uint32())),
  [0x94, (stack) => stack.rememberNext()],
];

function line(input: PickleInput): string {
  return input.line().toString("utf8");
}

function lineIndex(stack: PickleStack, input: PickleInput): number {
  const text = line(input);
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw stack.context.fault("an index of the memo", "the pickle", text);
}

function stackGlobal(stack: PickleStack): void {
  const [name, module] = [stack.pop(), stack.pop()];
  if (typeof name !== "string" || typeof module !== "string") {
    throw stack.context.fault("a module and a name", "a global", module);
  }
  stack.push(stack.name(module, name));
}

function global(stack: PickleStack, value: TorchValue): TorchName {
  if (value instanceof TorchName) return value;
  throw stack.context.fault("a global to call", "the pickle", value);
}

function tuple(stack: PickleStack, value: TorchValue): readonly TorchValue[] {
  if (Array.isArray(value)) return value as readonly TorchValue[];
  throw stack.context.fault("a tuple of arguments", "the pickle", value);
}

function instance(stack: PickleStack, args: readonly TorchValue[]): void {
  stack.push(construct(global(stack, stack.pop()), args, stack.context));
}

/** Attributes of dictionaries (`_metadata` of a state dict) say nothing about their content. */
function setState(stack: PickleStack): void {
  const state = stack.pop();
  const target = stack.top();
  if (target instanceof TorchObject) target.state = state;
  else if (!(target instanceof Map || target instanceof Set)) {
    throw stack.context.fault("an object that has a state", "the pickle", target);
  }
}
