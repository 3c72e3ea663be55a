import { expected } from "../../runtime/errors.js";

/** What a length of one byte can say, in whole words. */
const maxIntegerBytes = 248;

/** Opcodes of protocol 2 with their arguments, in one buffer (Python, Lib/pickletools.py). */
export class PickleBytes {
  readonly #parts: Buffer[] = [];
  #memoised = 0;

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  /** Add opcodes that have no argument. */
  op(codes: string): this {
    this.#parts.push(Buffer.from(codes, "latin1"));
    return this;
  }

  integer(value: number | bigint): this {
    const wide = BigInt(value);
    if (wide >= -(2n ** 31n) && wide < 2n ** 31n)
      return this.with("J", 4, (b) => b.writeInt32LE(Number(wide), 1));
    let count = 8;
    while (BigInt.asIntN(8 * count, wide) !== wide) count += 8;
    if (count > maxIntegerBytes) {
      throw expected("E_ARGUMENT", `at most ${maxIntegerBytes} bytes`, "an integer", count);
    }
    const hex = BigInt.asUintN(8 * count, wide)
      .toString(16)
      .padStart(2 * count, "0");
    this.#parts.push(Buffer.from([0x8a, count]), Buffer.from(hex, "hex").reverse());
    return this;
  }

  float(value: number): this {
    return this.with("G", 8, (bytes) => bytes.writeDoubleBE(value, 1));
  }

  text(value: string): this {
    const encoded = Buffer.from(value, "utf8");
    this.with("X", 4, (bytes) => bytes.writeUInt32LE(encoded.length, 1));
    this.#parts.push(encoded);
    return this;
  }

  global(module: string, name: string): this {
    return this.op(`c${module}\n${name}\n`);
  }

  /** Remember the value on top of the stack; returns its index. */
  memoise(): number {
    const index = this.#memoised++;
    this.with("r", 4, (bytes) => bytes.writeUInt32LE(index, 1));
    return index;
  }

  recall(index: number): this {
    return this.with("j", 4, (bytes) => bytes.writeUInt32LE(index, 1));
  }

  private with(code: string, length: number, fill: (bytes: Buffer) => void): this {
    const bytes = Buffer.alloc(1 + length);
    bytes.write(code, "latin1");
    fill(bytes);
    this.#parts.push(bytes);
    return this;
  }
}
