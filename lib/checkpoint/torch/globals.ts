import type { ReadContext } from "./context.js";
import { numpyGlobals } from "./numpy.js";
import { tensorGlobals } from "./tensors.js";
import type { Build } from "./build.js";
import { TorchName, TorchObject } from "./values.js";
import type { TorchValue } from "./values.js";

/** Classes of plain state, kept as records even where a file calls them. */
const recordModules = [
  "argparse",
  "datetime",
  "lightning",
  "lightning_fabric",
  "omegaconf",
  "pathlib",
  "pytorch_lightning",
];

/** All that a file can have built. Nothing outside this table is ever called. */
const table: ReadonlyMap<string, Build> = new Map<string, Build>([
  ["collections.OrderedDict", dictionary],
  ["collections.defaultdict", (args, context) => dictionary(args.slice(1), context)],
  ["collections.Counter", dictionary],
  ["collections.deque", (args, context) => [...iterable(args, context)]],
  ["builtins.dict", dictionary],
  ["builtins.list", (args, context) => [...iterable(args, context)]],
  ["builtins.tuple", (args, context) => Object.freeze([...iterable(args, context)])],
  ["builtins.set", (args, context) => new Set(iterable(args, context))],
  ["builtins.frozenset", (args, context) => new Set(iterable(args, context))],
  ["builtins.int", (args, context) => Math.trunc(number(args, context))],
  ["builtins.float", number],
  ["builtins.bool", (args, context) => number(args, context) !== 0],
  ["builtins.bytearray", bytes],
  ["builtins.bytes", bytes],
  ["builtins.complex", record("builtins.complex")],
  ["builtins.slice", record("builtins.slice")],
  ["builtins.range", record("builtins.range")],
  ["_codecs.encode", bytes],
  ["functools.partial", record("functools.partial")],
  ["copyreg._reconstructor", reconstruct],
  ...numpyGlobals,
  ...tensorGlobals,
]);

/**
 * Call a global with arguments. Errors: `E_CHECKPOINT` naming the global, unless it is in the table
 * or a class that is known to hold plain state.
 */
export function build(
  name: TorchName,
  args: readonly TorchValue[],
  context: ReadContext,
): TorchValue {
  context.countContainer();
  const known = table.get(name.name);
  if (known) return known(args, context);
  const [module] = name.name.split(".");
  if (recordModules.some((allowed) => allowed === module)) return new TorchObject(name.name, args);
  throw context.fault("tensors and plain data alone", "a call", name.name);
}

/** Make an instance of a class: out of the table, or a record that nothing stands behind. */
export function construct(
  name: TorchName,
  args: readonly TorchValue[],
  context: ReadContext,
): TorchValue {
  if (table.has(name.name)) return build(name, args, context);
  context.countContainer();
  return new TorchObject(name.name, args);
}

function record(className: string): Build {
  return (args) => new TorchObject(className, args);
}

function iterable(args: readonly TorchValue[], context: ReadContext): Iterable<TorchValue> {
  const [source = []] = args;
  const size = Array.isArray(source) ? source.length : source instanceof Set ? source.size : -1;
  if (size < 0) throw context.fault("a list", "the argument of a container", source);
  context.countCopy(16 * size);
  return source as Iterable<TorchValue>;
}

function dictionary(args: readonly TorchValue[], context: ReadContext): TorchValue {
  const [source = []] = args;
  const made = new Map<TorchValue, TorchValue>();
  const pairs = source instanceof Map ? [...(source as Map<TorchValue, TorchValue>)] : source;
  if (!Array.isArray(pairs)) throw context.fault("pairs", "a dictionary", source);
  context.countCopy(64 * pairs.length);
  for (const pair of pairs as readonly TorchValue[]) {
    if (!Array.isArray(pair) || pair.length !== 2) {
      throw context.fault("pairs", "a dictionary", pair as TorchValue);
    }
    const [key, value] = pair as readonly TorchValue[];
    made.set(key ?? null, value ?? null);
  }
  return made;
}

function number([value = 0]: readonly TorchValue[], context: ReadContext): number {
  if (typeof value === "number" || typeof value === "boolean") return Number(value);
  throw context.fault("a number", "a conversion", value);
}

/** Text in Latin-1, which is how protocol 2 writes bytes, or bytes as they are. */
function bytes([source = ""]: readonly TorchValue[], context: ReadContext): TorchValue {
  if (typeof source === "string" || source instanceof Uint8Array) {
    context.countCopy(source.length);
    if (typeof source !== "string") return new Uint8Array(source);
    if (/^[\0-\u00ff]*$/.test(source)) return new Uint8Array(Buffer.from(source, "latin1"));
  }
  throw context.fault("bytes as Latin-1 text", "a conversion", source);
}

/** Instances of plain classes in protocols 0 and 1: class, base, state of the base. */
function reconstruct([type = null, , base = null]: readonly TorchValue[], context: ReadContext) {
  if (type instanceof TorchName) return new TorchObject(type.name, base === null ? [] : [base]);
  throw context.fault("a class", "an instance", type);
}
