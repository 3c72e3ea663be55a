import { setImmediate as nextTurn } from "node:timers/promises";
import { throwIfAborted } from "../../runtime/native.js";
import type { ReadContext } from "./context.js";
import { endOfBytes } from "./input.js";
import type { PickleInput } from "./input.js";
import { atoms } from "./operations/atoms.js";
import { containers } from "./operations/containers.js";
import { objects } from "./operations/objects.js";
import type { Operation } from "./operations/operation.js";
import { PickleStack } from "./stack.js";
import type { PersistentLoad } from "./stack.js";
import type { TorchValue } from "./values.js";

const stopCode = 0x2e;

/** Operations between two looks at other work of the JavaScript thread. */
const operationsPerTurn = 20_000;

const maxOperations = 16_000_000;

const operations: ReadonlyMap<number, Operation> = new Map([...atoms, ...containers, ...objects]);

/**
 * Run one pickle up to its end. The machine knows no classes: what it builds comes out of a closed
 * table (`globals.ts`) or is an inert record.
 *
 * Format: Python, Lib/pickletools.py; protocols 0 to 5.
 */
export async function unpickle(
  input: PickleInput,
  context: ReadContext,
  load: PersistentLoad,
  signal?: AbortSignal,
): Promise<TorchValue> {
  const stack = new PickleStack(context, load);
  for (let total = 0; total < maxOperations; total += operationsPerTurn) {
    const state = run(stack, input, context);
    if (state === "stopped") return stack.pop();
    if (state === "paused") await nextTurn();
    else if (!(await input.extend())) throw input.truncated();
    throwIfAborted(signal);
  }
  throw context.fault(`at most ${maxOperations} operations`, "the pickle", "more");
}

function run(
  stack: PickleStack,
  input: PickleInput,
  context: ReadContext,
): "stopped" | "paused" | "starved" {
  try {
    for (let count = 0; count < operationsPerTurn; count++) {
      input.keep();
      const code = input.byte();
      if (code === stopCode) return "stopped";
      const operation = operations.get(code);
      if (!operation) throw context.fault("operations of plain data", "the pickle", name(code));
      operation(stack, input);
    }
    return "paused";
  } catch (error) {
    if (error !== endOfBytes) throw error;
    input.rewind();
    return "starved";
  }
}

function name(code: number): string {
  return `operation 0x${code.toString(16).padStart(2, "0")}`;
}
