import test from "ava";
import { Tensor } from "../lib/tensor/tensor.js";
import { declareLifetimeTest, declareOpTests } from "./helpers/tensor-ops.js";

declareLifetimeTest();

declareOpTests(0, {
  permute: (x) => x("a").permute([2, 0, 1]),
  expand: (x) => x("b").expand([2, -1, 4]),
  repeat: (x) => x("b").repeat([2, 1, 2]),
  flip: (x) => x("a").flip([0, -1]),
  roll: (x) => x("a").roll([1, -2], [1, 2]),
  pad: (x) => x("a").pad([1, 2, 0, 1], { value: 0.5 }),
  pad_reflect: (x) => x("a").pad([1, 2], { mode: "reflect" }),
  pad_replicate: (x) => x("a").pad([1, 2], { mode: "replicate" }),
  pad_circular: (x) => x("a").pad([3, 1], { mode: "circular" }),
  slice: (x) => x("a").slice(1, 1),
  slice_step: (x) => x("a").slice(-1, -3, undefined, 2),
  select: (x) => x("a").select(1, -1),
  index_mask: (x) => x("a").index([x("mask")]),
  index_select: (x) => x("a").indexSelect(1, x("order")),
  gather: (x) => x("a").gather(1, x("indices")),
  index: async (x) => {
    using first = await Tensor.from(Int32Array.of(1, 0));
    using last = await Tensor.from(BigInt64Array.of(2n, 3n));
    return await x("a").index([first, null, last]);
  },
  cat: async (x) => {
    using wide = await x("b").expand([2, 3, 1]);
    return await Tensor.cat([x("a"), wide], 2);
  },
  stack: async (x) => {
    using twice = await x("vector").mul(2);
    return await Tensor.stack([x("vector"), twice], -1);
  },
});

test.serial("reshape, flatten, squeeze and unsqueeze keep the values", async (t) => {
  using a = await Tensor.arange(0, 24);
  using b = await a.reshape([2, 1, 3, -1]);
  t.deepEqual(b.shape, [2, 1, 3, 4]);
  using c = await b.flatten(1, 2);
  t.deepEqual(c.shape, [2, 3, 4]);
  using d = await b.squeeze();
  t.deepEqual(d.shape, [2, 3, 4]);
  using e = await d.unsqueeze(-1);
  t.deepEqual(e.shape, [2, 3, 4, 1]);
  using f = await e.squeeze(-1);
  t.deepEqual(await f.data(), await a.data());
  using scalar = await Tensor.from(7);
  using flat = await scalar.flatten();
  t.deepEqual([scalar.shape, flat.shape], [[], [1]]);
});

test.serial("a view is laid out anew by contiguous and clone", async (t) => {
  using a = await Tensor.from([
    [1, 2],
    [3, 4],
  ]);
  using turned = await a.transpose(0, 1);
  using laid = await turned.contiguous();
  using copy = await turned.clone();
  for (const tensor of [turned, laid, copy]) {
    t.deepEqual(await tensor.data(), Float32Array.of(1, 3, 2, 4));
  }
});

test.serial("split and chunk cut, cat joins again", async (t) => {
  using a = await Tensor.randn([3, 7], { seed: 1 });
  const cuts: readonly [() => Promise<Tensor[]>, readonly number[]][] = [
    [() => a.split(3, 1), [3, 3, 1]],
    [() => a.split([2, 0, 5], 1), [2, 0, 5]],
    [() => a.chunk(4, 1), [2, 2, 2, 1]],
    [() => a.chunk(5, -1), [2, 2, 2, 1]],
  ];
  for (const [cut, sizes] of cuts) {
    const pieces = await cut();
    t.deepEqual(
      pieces.map(({ shape }) => shape[1]),
      sizes,
    );
    using joined = await Tensor.cat(pieces, 1);
    t.deepEqual(await joined.data(), await a.data());
    for (const piece of pieces) piece.dispose();
  }
  using empty = await Tensor.zeros([0, 2]);
  for (const piece of await empty.split(3)) {
    t.deepEqual(piece.shape, [0, 2]);
    piece.dispose();
  }
});

test.serial("bad shapes, dimensions and indices are refused", async (t) => {
  using a = await Tensor.zeros([2, 3]);
  using b = await Tensor.zeros([2, 4]);
  for (const call of [
    () => a.reshape([4]),
    () => a.reshape([-1, -1]),
    () => a.reshape([-2, 3]),
    () => a.reshape([1.5, 4]),
    () => a.reshape([NaN]),
    () => a.expand([4, 3]),
    () => a.repeat([-1, 1]),
    () => a.split([1, 1], 1),
    () => Tensor.cat([a, b]),
    () => Tensor.stack([a, b]),
    () => Tensor.zeros([2 ** 40, 2 ** 40]),
  ]) {
    await t.throwsAsync<Error & { code: string }>(call, { code: "E_SHAPE" }, call.toString());
  }
  for (const call of [
    () => a.permute([0, 0]),
    () => a.permute([1]),
    () => a.transpose(0, 2),
    () => a.unsqueeze(4),
    () => a.flip([2]),
    () => a.roll([1, 2], 0),
    () => a.pad([1]),
    () => a.pad([1, 1, 1, 1, 1, 1]),
    () => a.pad([1, 1], { mode: "mirror" as "reflect" }),
    () => a.slice(2, 0),
    () => a.slice(0, 0, 1, 0),
    () => a.slice(0, 0.5),
    () => a.select(0, 2),
    () => a.split(0),
    () => a.chunk(0),
    () => a.flatten(1, 0),
    () => Tensor.cat([]),
    () => Tensor.cat([a, 1 as unknown as Tensor]),
  ]) {
    await t.throwsAsync<Error & { code: string }>(call, { code: "E_ARGUMENT" }, call.toString());
  }
});

test.serial("indices out of range are refused", async (t) => {
  using a = await Tensor.zeros([2, 3]);
  using beyond = await Tensor.from(Int32Array.of(5));
  using matrix = await Tensor.from(Int32Array.of(5), [1, 1]);
  using float = await Tensor.zeros([1]);
  await t.throwsAsync(a.index([beyond]), { code: "E_ARGUMENT" });
  await t.throwsAsync(a.index([null]), { code: "E_ARGUMENT" });
  await t.throwsAsync(a.index([beyond, beyond, beyond]), { code: "E_ARGUMENT" });
  await t.throwsAsync(a.indexSelect(0, beyond), { code: "E_ARGUMENT" });
  await t.throwsAsync(a.gather(0, matrix), { code: "E_SHAPE" });
  await t.throwsAsync(a.indexSelect(0, float), { code: "E_DTYPE" });
});
