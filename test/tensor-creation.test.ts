import test from "ava";
import type { NestedNumbers, TensorSource } from "../lib/tensor/create.js";
import { Tensor } from "../lib/tensor/tensor.js";
import type { DType } from "../lib/runtime/native.js";
import { declareLifetimeTest } from "./helpers/tensor-ops.js";

declareLifetimeTest();

test.serial("typed arrays give their natural dtypes", async (t) => {
  const cases: readonly [TensorSource, DType, ArrayLike<number | bigint>][] = [
    [Float32Array.of(1.5, -2), "float32", Float32Array.of(1.5, -2)],
    [Float64Array.of(0.1, 1e-50), "float32", Float32Array.of(0.1, 0)],
    [Int32Array.of(-3, 4), "int64", BigInt64Array.of(-3n, 4n)],
    [BigInt64Array.of(2n ** 62n, -1n), "int64", BigInt64Array.of(2n ** 62n, -1n)],
    [Uint8Array.of(0, 7), "bool", Uint8Array.of(0, 1)],
  ];
  for (const [source, dtype, values] of cases) {
    using tensor = await Tensor.from(source);
    t.is(tensor.dtype, dtype);
    t.deepEqual(tensor.shape, [2]);
    t.is(tensor.device, "cpu");
    t.deepEqual(await tensor.data(), values);
  }
});

test.serial("a part of a buffer and a later write stay apart", async (t) => {
  const whole = Float32Array.of(9, 1, 2, 9);
  const pending = Tensor.from(whole.subarray(1, 3));
  whole.fill(0);
  using tensor = await pending;
  const data = await tensor.data();
  t.deepEqual(data, Float32Array.of(1, 2));
  data.fill(0 as never);
  t.deepEqual(await tensor.data(), Float32Array.of(1, 2));
});

test.serial("nested numbers give their shape", async (t) => {
  const cases: readonly [NestedNumbers, readonly number[]][] = [
    [5, []],
    [[], [0]],
    [[[]], [1, 0]],
    [[1, 2], [2]],
    [
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      [3, 2],
    ],
  ];
  for (const [source, shape] of cases) {
    using tensor = await Tensor.from(source);
    t.deepEqual(tensor.shape, shape);
    t.deepEqual(await tensor.data(), Float32Array.from([source].flat(3) as number[]));
  }
  using integers = await Tensor.from([1, 2, 3, 4], [2, 2], { dtype: "int64" });
  t.deepEqual(await integers.data(), BigInt64Array.of(1n, 2n, 3n, 4n));
});

test.serial("half precision widens on the way out", async (t) => {
  for (const dtype of ["float16", "bfloat16"] as const) {
    using tensor = await Tensor.from([1, -0.5, 65280], undefined, { dtype });
    t.is(tensor.dtype, dtype);
    t.deepEqual(await tensor.data(), Float32Array.of(1, -0.5, 65280));
  }
});

test.serial("constants and ranges", async (t) => {
  const cases: readonly [Promise<Tensor>, ArrayLike<number | bigint>][] = [
    [Tensor.zeros([2]), Float32Array.of(0, 0)],
    [Tensor.ones([2], { dtype: "int64" }), BigInt64Array.of(1n, 1n)],
    [Tensor.full([1, 2], -Infinity), Float32Array.of(-Infinity, -Infinity)],
    [Tensor.full([1], 3, { dtype: "bool" }), Uint8Array.of(1)],
    [Tensor.arange(2, 7, 2), BigInt64Array.of(2n, 4n, 6n)],
    [Tensor.arange(1, 0, -0.25), Float32Array.of(1, 0.75, 0.5, 0.25)],
    [Tensor.arange(3, 3), new BigInt64Array(0)],
    [Tensor.linspace(0, 1, 5), Float32Array.of(0, 0.25, 0.5, 0.75, 1)],
    [Tensor.linspace(0, 1, 0), new Float32Array(0)],
    [Tensor.eye(2, 3), Float32Array.of(1, 0, 0, 0, 1, 0)],
  ];
  for (const [pending, values] of cases) {
    using tensor = await pending;
    t.deepEqual(await tensor.data(), values);
  }
});

test.serial("to converts, item and floats read", async (t) => {
  using a = await Tensor.from([1.75, -0.25]);
  using integers = await a.to("int64");
  t.deepEqual(await integers.data(), BigInt64Array.of(1n, 0n));
  t.deepEqual(await integers.floats(), Float32Array.of(1, 0));
  using half = await a.to({ dtype: "float16", device: "cpu" });
  t.deepEqual([half.dtype, half.device], ["float16", "cpu"]);
  using same = await half.to("cpu");
  t.is(same.dtype, "float16");
  using first = await half.select(0, 0);
  t.is(await first.item(), 1.75);
  using yes = await first.gt(0);
  t.is(await yes.item(), 1);
  t.is(String(half), "Tensor float16 [2] on cpu");
  t.deepEqual([a.rank, a.size, first.rank, first.size], [1, 2, 0, 1]);
});

test.serial("bad sources are refused", async (t) => {
  const create = (source: unknown, shape?: unknown): Promise<Tensor> =>
    Tensor.from(source as TensorSource, shape as number[]);
  await t.throwsAsync(create(Float32Array.of(1, 2), [3]), { code: "E_SHAPE" });
  await t.throwsAsync(create(Float32Array.of(1, 2), [-1]), { code: "E_SHAPE" });
  await t.throwsAsync(create(Float32Array.of(1, 2), 2), { code: "E_SHAPE" });
  await t.throwsAsync(create([[1, 2], [3]]), { code: "E_SHAPE" });
  await t.throwsAsync(create([1, [2]]), { code: "E_SHAPE" });
  for (const source of [
    "1",
    {},
    null,
    undefined,
    new Uint16Array(2),
    new DataView(new ArrayBuffer(2)),
  ]) {
    await t.throwsAsync(create(source), { code: "E_ARGUMENT" });
  }
  await t.throwsAsync(create([1, "2"]), { code: "E_SHAPE" });
});

test.serial("bad options are refused", async (t) => {
  const dtype = "float64" as DType;
  await t.throwsAsync(Tensor.zeros([1], { dtype }), { code: "E_DTYPE" });
  for (const device of ["gpu", "cuda:", "cuda:x", "CPU", "", 0 as unknown as string]) {
    await t.throwsAsync(Tensor.zeros([1], { device }), { code: "E_ARGUMENT" });
  }
  await t.throwsAsync(Tensor.full([1], "1" as unknown as number), { code: "E_ARGUMENT" });
  await t.throwsAsync(Tensor.arange(0, 1, 0), { code: "E_ARGUMENT" });
  await t.throwsAsync(Tensor.arange(0, 1, -1), { code: "E_ARGUMENT" });
  await t.throwsAsync(Tensor.arange(0, Infinity), { code: "E_ARGUMENT" });
  await t.throwsAsync(Tensor.linspace(0, 1, -1), { code: "E_ARGUMENT" });
  await t.throwsAsync(Tensor.eye(-1), { code: "E_ARGUMENT" });
  using a = await Tensor.zeros([2]);
  await t.throwsAsync(a.item(), { code: "E_SHAPE" });
  await t.throwsAsync(a.to("float64"), { code: "E_ARGUMENT" });
});
