import type { Build } from "./build.js";
import type { ReadContext } from "./context.js";
import { bytesOf, dtypeOf } from "./dtypes.js";
import type { TorchDType } from "./dtypes.js";
import { TorchName, TorchObject, TorchStorage, TorchTensor } from "./values.js";
import type { TorchValue } from "./values.js";

const maxRank = 64;

/** An expanded tensor repeats elements of its storage; a larger one has no use in a checkpoint. */
const maxRepeated = 65_536;

/** How torch.save writes tensors (torch/_utils.py) and their sizes, devices and layouts. */
export const tensorGlobals: readonly (readonly [string, Build])[] = [
  ["torch._utils._rebuild_tensor", rebuild],
  ["torch._utils._rebuild_tensor_v2", rebuildWithMetadata],
  ["torch._utils._rebuild_tensor_v3", rebuildUntyped],
  ["torch._utils._rebuild_parameter", parameter],
  ["torch._utils._rebuild_parameter_with_state", parameter],
  ["torch._tensor._rebuild_from_type_v2", rebuildSubclass],
  ["torch.nn.parameter.Parameter", parameter],
  ["torch.Size", ([sizes = []], context) => Object.freeze([...integers(sizes, "a size", context)])],
  ["torch.device", (args) => new TorchObject("torch.device", args)],
  ["torch.serialization._get_layout", (args) => new TorchObject("torch.layout", args)],
];

function rebuild(args: readonly TorchValue[], context: ReadContext): TorchTensor {
  const [storage = null] = args;
  if (!(storage instanceof TorchStorage)) throw context.fault("a storage", "a tensor", storage);
  return describeTensor(args, storage, storage.dtype, context);
}

/** storage, offset, size, stride, requires_grad, backward_hooks, metadata */
function rebuildWithMetadata(args: readonly TorchValue[], context: ReadContext): TorchTensor {
  refuseMathBits(args[6] ?? null, context);
  return rebuild(args, context);
}

/** storage, offset, size, stride, requires_grad, backward_hooks, dtype, metadata */
function rebuildUntyped(args: readonly TorchValue[], context: ReadContext): TorchTensor {
  const [storage = null] = args;
  const type = args[6] ?? null;
  const dtype = type instanceof TorchName ? dtypeOf(type.name) : undefined;
  if (!dtype) throw context.fault("a dtype of torch", "a tensor", type);
  if (!(storage instanceof TorchStorage)) throw context.fault("a storage", "a tensor", storage);
  refuseMathBits(args[7] ?? null, context);
  return describeTensor(args, storage, dtype, context);
}

/** A lazily conjugated or negated tensor holds other values than its storage. */
function refuseMathBits(metadata: TorchValue, context: ReadContext): void {
  if (!(metadata instanceof Map)) return;
  const bits = ["conj", "neg"].filter((bit) => metadata.get(bit) === true);
  if (bits.length === 0) return;
  throw context.fault("resolved values", "a tensor", `the bit "${bits.join()}"`);
}

/** data, requires_grad, backward_hooks, and in one case attributes */
function parameter([data = null]: readonly TorchValue[], context: ReadContext): TorchTensor {
  if (data instanceof TorchTensor) return data;
  throw context.fault("a tensor", "a parameter", data);
}

/** function, class, arguments, attributes: of the class only the tensor is kept. */
function rebuildSubclass(args: readonly TorchValue[], context: ReadContext): TorchValue {
  const [called = null, , inner = null] = args;
  const known = called instanceof TorchName ? plainTensors.get(called.name) : undefined;
  if (known && Array.isArray(inner)) return known(inner as readonly TorchValue[], context);
  throw context.fault("a tensor of a plain layout", "a tensor's subclass", called);
}

const plainTensors: ReadonlyMap<string, Build> = new Map([
  ["torch._utils._rebuild_tensor_v2", rebuildWithMetadata],
  ["torch._utils._rebuild_tensor_v3", rebuildUntyped],
]);

function describeTensor(
  [, offset = null, sizes = null, strides = null]: readonly TorchValue[],
  storage: TorchStorage,
  dtype: TorchDType,
  context: ReadContext,
): TorchTensor {
  const [begin = 0] = integers([offset], "the offset of a tensor", context);
  const shape = integers(sizes, "the size of a tensor", context);
  const steps = integers(strides, "the stride of a tensor", context);
  if (shape.length !== steps.length || shape.length > maxRank) {
    throw context.fault(`as many strides as sizes, at most ${maxRank}`, "a tensor", shape.length);
  }
  const tensor = new TorchTensor(storage, dtype, shape, steps, begin);
  checkExtent(tensor, context);
  return tensor;
}

/** A copy: a list in a pickle can grow after it was checked. */
function integers(value: TorchValue, name: string, context: ReadContext): readonly number[] {
  const valid = (item: unknown): item is number => Number.isSafeInteger(item) && Number(item) >= 0;
  if (Array.isArray(value) && value.length <= maxRank && value.every(valid)) {
    return [...(value as readonly number[])];
  }
  throw context.fault("integers of 0 or more", name, value);
}

/** Every element has to lie in the storage; numbers are checked as doubles, which only round up. */
function checkExtent(tensor: TorchTensor, context: ReadContext): void {
  const { storage, shape, strides, offset } = tensor;
  const room = (storage.length * bytesOf(storage.dtype)) / bytesOf(tensor.dtype);
  const elements = shape.reduce((product, size) => product * size, 1);
  const last = shape.reduce((sum, size, i) => sum + (size - 1) * (strides[i] ?? 0), offset);
  const end = elements === 0 ? offset : last + 1;
  if (!(end <= room && elements <= Math.max(room, maxRepeated))) {
    const what = `at most ${Math.floor(room)} elements, which its storage ${storage.key} has`;
    throw context.fault(what, "a tensor", `[${shape.join()}] with strides [${strides.join()}]`);
  }
}
