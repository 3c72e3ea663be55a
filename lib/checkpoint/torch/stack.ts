import type { ReadContext } from "./context.js";
import type { TorchValue } from "./values.js";
import { TorchName } from "./values.js";

/** Turns a persistent identifier of a pickle into what it stands for. */
export type PersistentLoad = (identifier: TorchValue) => TorchValue;

const maxNameLength = 512;
const maxRemembered = 4_000_000;

/** The stack of a pickle machine, with the marks on it and the memo beside it. */
export class PickleStack {
  #values: TorchValue[] = [];
  /** What lay below each mark. */
  readonly #below: TorchValue[][] = [];
  readonly #memo = new Map<number, TorchValue>();
  readonly #names = new Map<string, TorchName>();

  constructor(
    readonly context: ReadContext,
    readonly load: PersistentLoad,
  ) {}

  push(value: TorchValue): void {
    this.#values.push(value);
  }

  pop(): TorchValue {
    const value = this.#values.pop();
    if (value === undefined) throw this.underflow();
    return value;
  }

  /** The value on top, which stays. */
  top(): TorchValue {
    const value = this.#values.at(-1);
    if (value === undefined) throw this.underflow();
    return value;
  }

  get isEmpty(): boolean {
    return this.#values.length === 0;
  }

  mark(): void {
    this.context.countContainer();
    this.#below.push(this.#values);
    this.#values = [];
  }

  /** Take everything above the last mark, and the mark. */
  popMark(): TorchValue[] {
    const below = this.#below.pop();
    if (!below) throw this.underflow();
    const taken = this.#values;
    this.#values = below;
    return taken;
  }

  remember(index: number): void {
    this.#memo.set(index, this.top());
    if (this.#memo.size <= maxRemembered) return;
    throw this.context.fault(`a memo of at most ${maxRemembered}`, "the pickle", "more");
  }

  rememberNext(): void {
    this.remember(this.#memo.size);
  }

  recall(index: number): void {
    const value = this.#memo.get(index);
    if (value !== undefined) return this.push(value);
    throw this.context.fault("a memo entry that exists", "the pickle", index);
  }

  /** The record of a global's name, one for each. */
  name(module: string, qualified: string): TorchName {
    const text = `${modern(module)}.${qualified}`;
    if (text.length > maxNameLength) {
      throw this.context.fault(`a name of at most ${maxNameLength} characters`, "a global", text);
    }
    const known = this.#names.get(text);
    if (known) return known;
    const made = new TorchName(text);
    this.#names.set(text, made);
    return made;
  }

  private underflow(): Error {
    return this.context.fault("a value on the stack", "the pickle", "none");
  }
}

/** Python 2's names of modules that Python 3 calls otherwise. */
function modern(module: string): string {
  if (module === "__builtin__") return "builtins";
  return module === "copy_reg" ? "copyreg" : module;
}
