import type { ReadContext } from "../context.js";
import type { PickleInput } from "../input.js";
import type { PickleStack } from "../stack.js";
import { at } from "./operation.js";
import type { OperationEntry } from "./operation.js";

/** Bytes of a binary integer, digits of a decimal one: more has no use and costs quadratic time. */
const maxIntegerBytes = 256;
const maxDigits = 600;

const maxProtocol = 5;

const simpleEscapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

/** Numbers, text and bytes. */
export const atoms: readonly OperationEntry[] = [
  [0x80, protocol],
  [0x95, (_, input) => void input.take(8)], // FRAME: a hint for readers of streams
  at("N", (stack) => stack.push(null)),
  [0x88, (stack) => stack.push(true)],
  [0x89, (stack) => stack.push(false)],
  at("K", (stack, input) => stack.push(input.byte())),
  at("M", (stack, input) => stack.push(input.take(2).readUInt16LE())),
  at("J", (stack, input) => stack.push(input.take(4).readInt32LE())),
  [0x8a, (stack, input) => stack.push(binaryInteger(input, input.byte(), stack.context))],
  [0x8b, (stack, input) => stack.push(binaryInteger(input, input.uint32(), stack.context))],
  at("G", (stack, input) => stack.push(input.take(8).readDoubleBE())),
  at("I", (stack, input) => {
    const text = input.line().toString("latin1");
    if (text === "00" || text === "01") return stack.push(text === "01");
    stack.push(decimalInteger(text, stack.context));
  }),
  at("L", (stack, input) => {
    const text = input.line().toString("latin1");
    stack.push(decimalInteger(text.replace(/L$/, ""), stack.context));
  }),
  at("F", (stack, input) => {
    const line = input.line();
    stack.push(decimalFloat(line.toString("latin1", 0, maxDigits), stack.context));
  }),
  at("S", (stack, input) => stack.push(quoted(input.line(), stack))),
  at("V", (stack, input) => stack.push(escaped(input.line()))),
  at("X", (stack, input) => stack.push(input.text(input.uint32()))),
  [0x8c, (stack, input) => stack.push(input.text(input.byte()))],
  [0x8d, (stack, input) => stack.push(input.text(input.uint64()))],
  at("U", (stack, input) => stack.push(input.text(input.byte()))),
  at("T", (stack, input) => stack.push(input.text(input.uint32()))),
  at("C", (stack, input) => stack.push(copy(input.take(input.byte())))),
  at("B", (stack, input) => stack.push(copy(input.take(input.uint32())))),
  [0x8e, (stack, input) => stack.push(copy(input.take(input.uint64())))],
  [0x96, (stack, input) => stack.push(copy(input.take(input.uint64())))],
];

function protocol(stack: PickleStack, input: PickleInput): void {
  const version = input.byte();
  if (version <= maxProtocol) return;
  throw stack.context.fault(`protocol 0 to ${maxProtocol}`, "the pickle", version);
}

/** Out of the block, which would live as long as a view of it. */
function copy(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes);
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Two's complement, little-endian, of any length. */
function binaryInteger(input: PickleInput, count: number, context: ReadContext): number | bigint {
  if (count > maxIntegerBytes) {
    throw context.fault(`integers of at most ${maxIntegerBytes} bytes`, "the pickle", count);
  }
  if (count === 0) return 0;
  const digits = Buffer.from(input.take(count)).reverse().toString("hex");
  return narrow(BigInt.asIntN(8 * count, BigInt(`0x${digits}`)));
}

function decimalInteger(text: string, context: ReadContext): number | bigint {
  if (text.length <= maxDigits && /^\s*[+-]?\d+\s*$/.test(text)) {
    return narrow(BigInt(text.trim().replace(/^\+/, "")));
  }
  throw context.fault(`an integer of at most ${maxDigits} digits`, "the pickle", text);
}

function decimalFloat(text: string, context: ReadContext): number {
  const special = /^([+-]?)(nan|inf|infinity)$/i.exec(text);
  if (special?.[2]?.toLowerCase() === "nan") return Number.NaN;
  if (special) return special[1] === "-" ? -Infinity : Infinity;
  const number = /^[+-]?(\d|\.\d)/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(number)) throw context.fault("a number", "the pickle", text);
  return number;
}

/** Protocol 0 of Python 2: a literal in quotes, with escapes. */
function quoted(line: Buffer, stack: PickleStack): string {
  const text = line.toString("latin1");
  const match = /^\s*(['"])(.*)\1\s*$/s.exec(text);
  if (!match) throw stack.context.fault("text in quotes", "the pickle", text);
  return (match[2] ?? "").replace(/\\(x[0-9a-fA-F]{2}|.)/gs, (_, escape: string) => {
    if (escape.length === 3) return String.fromCharCode(Number.parseInt(escape.slice(1), 16));
    return simpleEscapes[escape] ?? escape;
  });
}

/** Protocol 0 of Python 3: "raw-unicode-escape". */
function escaped(line: Buffer): string {
  const text = line.toString("latin1");
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|U000([0-9a-fA-F]{5}))/g, (whole, short, long) => {
    const code = Number.parseInt(String(short ?? long), 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : String(whole);
  });
}
