/** Bytes of an element, by the names of safetensors; `C32` and `C128` are torch's alone. */
const elementBytes = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  F8_E8M0: 1,
  F8_E4M3FNUZ: 1,
  F8_E5M2FNUZ: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  C32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
  C64: 8,
  C128: 16,
} as const;

export type TorchDType = keyof typeof elementBytes;

/** torch's dtypes, without `torch.`. */
const dtypes: ReadonlyMap<string, TorchDType> = new Map([
  ["float64", "F64"],
  ["float32", "F32"],
  ["float16", "F16"],
  ["bfloat16", "BF16"],
  ["int64", "I64"],
  ["int32", "I32"],
  ["int16", "I16"],
  ["int8", "I8"],
  ["uint64", "U64"],
  ["uint32", "U32"],
  ["uint16", "U16"],
  ["uint8", "U8"],
  ["bool", "BOOL"],
  ["complex32", "C32"],
  ["complex64", "C64"],
  ["complex128", "C128"],
  ["float8_e4m3fn", "F8_E4M3"],
  ["float8_e5m2", "F8_E5M2"],
  ["float8_e4m3fnuz", "F8_E4M3FNUZ"],
  ["float8_e5m2fnuz", "F8_E5M2FNUZ"],
  ["float8_e8m0fnu", "F8_E8M0"],
]);

/** What the storage classes of torch hold, without `torch.` and `Storage`. */
const storages: ReadonlyMap<string, TorchDType> = new Map([
  ["Double", "F64"],
  ["Float", "F32"],
  ["Half", "F16"],
  ["BFloat16", "BF16"],
  ["Long", "I64"],
  ["Int", "I32"],
  ["Short", "I16"],
  ["Char", "I8"],
  ["Byte", "U8"],
  ["Bool", "BOOL"],
  ["ComplexFloat", "C64"],
  ["ComplexDouble", "C128"],
  ["Untyped", "U8"],
]);

export function bytesOf(dtype: TorchDType): number {
  return elementBytes[dtype];
}

/** The type that a name such as `torch.float32` stands for. */
export function dtypeOf(name: string): TorchDType | undefined {
  return name.startsWith("torch.") ? dtypes.get(name.slice("torch.".length)) : undefined;
}

/** The element type of a class such as `torch.FloatStorage`. */
export function storageDtype(name: string): TorchDType | undefined {
  const match = /^torch\.(?:cuda\.|storage\.)?(\w+)Storage$/.exec(name);
  return match ? storages.get(match[1] ?? "") : undefined;
}
