import { MusicLDMError } from "../../runtime/errors.js";

/** Names and shapes of a network's tensors, from which its configuration is read. */
export class Shapes {
  readonly names: readonly string[];
  readonly #shapes: ReadonlyMap<string, readonly number[]>;
  readonly #file: string;

  constructor(shapes: ReadonlyMap<string, readonly number[]>, file: string) {
    this.#shapes = shapes;
    this.#file = file;
    this.names = [...shapes.keys()];
  }

  has(name: string): boolean {
    return this.#shapes.has(name);
  }

  /** The size of an axis. Errors: `E_CHECKPOINT` where the tensor or its axis is missing. */
  size(name: string, axis: number): number {
    const shape = this.#shapes.get(name);
    const size = shape?.[axis];
    if (size !== undefined) return size;
    const received = shape === undefined ? "nothing" : `one of ${shape.length} axes`;
    const message =
      `Expected a tensor ${name} with axis ${axis} in ${this.#file} ` +
      `but received ${received}; the configuration is read from it`;
    throw new MusicLDMError("E_CHECKPOINT", message, { file: this.#file, names: [name] });
  }

  /** How many axes a tensor has; 0 where it is missing. */
  rank(name: string): number {
    return this.#shapes.get(name)?.length ?? 0;
  }

  /** How many entries follow a name: 1 + the largest N in `<name>.<N>.…`, or 0. */
  count(name: string): number {
    const numbers = this.names.flatMap((each) => {
      if (!each.startsWith(`${name}.`)) return [];
      const number = /^\d+/.exec(each.slice(name.length + 1))?.[0];
      return number === undefined ? [] : [Number(number) + 1];
    });
    return Math.max(0, ...numbers);
  }
}
