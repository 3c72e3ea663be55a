import type { PickleInput } from "../input.js";
import type { PickleStack } from "../stack.js";

/** What an opcode does. It takes its arguments from the input before it touches the stack. */
export type Operation = (stack: PickleStack, input: PickleInput) => void;

/** Opcodes are written as pickletools names them: a character or a byte. */
export type OperationEntry = readonly [code: number, operation: Operation];

export function at(character: string, operation: Operation): OperationEntry {
  return [character.charCodeAt(0), operation];
}
