import test from "ava";
import { Tensor } from "../lib/tensor/tensor.js";
import type { Operand } from "../lib/tensor/base.js";
import { integers as randomIntegers } from "./helpers/safetensors.js";
import { declareLifetimeTest, declareOpTests, through } from "./helpers/tensor-ops.js";

declareLifetimeTest();

declareOpTests(1e-6, {
  neg: (x) => x("a").neg(),
  abs: (x) => x("a").abs(),
  exp: (x) => x("a").exp(),
  sin: (x) => x("a").sin(),
  cos: (x) => x("a").cos(),
  tanh: (x) => x("a").tanh(),
  sigmoid: (x) => x("a").sigmoid(),
  floor: (x) => x("a").floor(),
  round: (x) => x("a").round(),
  log: (x) => x("positive").log(),
  sqrt: (x) => x("positive").sqrt(),
  rsqrt: (x) => x("positive").rsqrt(),
  add: (x) => x("a").add(x("b")),
  sub: (x) => x("a").sub(x("b")),
  mul: (x) => x("a").mul(x("b")),
  div: (x) => x("a").div(x("b")),
  minimum: (x) => x("a").minimum(x("b")),
  maximum: (x) => x("a").maximum(x("b")),
  eq: (x) => x("a").eq(x("b")),
  lt: (x) => x("a").lt(x("b")),
  le: (x) => x("a").le(x("b")),
  gt: (x) => x("a").gt(x("b")),
  ge: (x) => x("a").ge(x("b")),
  ne: (x) => x("integers").ne(3),
  add_number: (x) => x("a").add(0.25),
  add_integers: (x) => x("integers").add(2),
  add_fraction: (x) => x("integers").add(0.5),
  add_bool: (x) => x("mask").add(1),
  div_integers: (x) => x("integers").div(2),
  pow: (x) => x("positive").pow(x("b")),
  pow_number: (x) => x("a").pow(2),
  pow_integers: (x) => x("integers").pow(2),
  clamp: (x) => x("a").clamp(-0.5, 0.5),
  clamp_minimum: (x) => x("a").clamp(0.1),
  where: (x) => x("mask").where(x("a"), 0),
  logical_not: (x) => x("integers").logicalNot(),
  matmul: (x) => x("a").matmul(x("matrix")),
  matmul_vector: (x) => x("a").matmul(x("vector")),
  matmul_transposed: (x) =>
    through(x("a").transpose(1, 2), (transposed) => transposed.matmul(x("a"))),
  einsum: (x) => Tensor.einsum("bij,bjk->bki", [x("a"), x("matrix")]),
  logical_and: async (x) => {
    using right = await x("b").gt(0);
    return await through(x("a").gt(0), (left) => left.logicalAnd(right));
  },
  logical_or: async (x) => {
    using right = await x("b").gt(0);
    return await through(x("a").gt(0), (left) => left.logicalOr(right));
  },
});

// Half precision has 8 or 11 bits, and kernels may round at other places.
declareOpTests(4e-3, {
  add_half: (x) => through(x("a").to("float16"), (half) => half.add(0.1)),
  add_mixed: (x) => through(x("a").to("bfloat16"), (half) => half.add(x("integers"))),
  matmul_half: async (x) => {
    using right = await x("matrix").to("float16");
    return await through(x("a").to("float16"), (left) => left.matmul(right));
  },
});

test.serial("result dtypes follow PyTorch", async (t) => {
  using half = await Tensor.ones([2], { dtype: "float16" });
  using integer = await Tensor.ones([2], { dtype: "int64" });
  using bool = await Tensor.ones([2], { dtype: "bool" });
  const dtypeOf = async (result: Promise<Tensor>): Promise<string> => {
    using tensor = await result;
    return tensor.dtype;
  };
  t.is(await dtypeOf(half.add(1.5)), "float16");
  t.is(await dtypeOf(half.add(integer)), "float16");
  t.is(await dtypeOf(integer.mul(3)), "int64");
  t.is(await dtypeOf(integer.mul(1.5)), "float32");
  t.is(await dtypeOf(bool.add(bool)), "bool");
  t.is(await dtypeOf(bool.mul(2)), "int64");
  t.is(await dtypeOf(integer.exp()), "float32");
});

test.serial("random shapes broadcast as a loop would", async (t) => {
  const below = randomIntegers(7);
  for (let round = 0; round < 40; round++) {
    const full = Array.from({ length: 1 + below(4) }, () => below(5));
    const thinned = full.map((size) => (below(3) === 0 ? 1 : size)).slice(below(2));
    using a = await Tensor.randn(full, { seed: round });
    using b = await Tensor.randn(thinned, { seed: round + 1000 });
    using sum = await b.add(a);
    using wide = await b.expand(full);
    const [left, right] = [await a.floats(), await wide.floats()];
    t.deepEqual(sum.shape, full);
    t.deepEqual(
      await sum.floats(),
      left.map((value, i) => value + (right[i] ?? NaN)),
    );
  }
});

test.serial("views and empty tensors are ordinary operands", async (t) => {
  using a = await Tensor.from([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  using turned = await a.transpose(0, 1);
  using product = await turned.mul(turned);
  t.deepEqual(await product.data(), Float32Array.of(1, 16, 4, 25, 9, 36));
  using none = await Tensor.zeros([0, 3]);
  using still = await none.add(a.shape.length);
  t.deepEqual(still.shape, [0, 3]);
  using nothing = await Tensor.zeros([2, 0]);
  using zeros = await nothing.matmul(none);
  t.deepEqual(await zeros.data(), new Float32Array(6));
});

test.serial("finiteness and closeness", async (t) => {
  using a = await Tensor.from([1, NaN, Infinity, -Infinity]);
  using finite = await a.isFinite();
  t.deepEqual(await finite.data(), Uint8Array.of(1, 0, 0, 0));
  using b = await Tensor.from([1, 100]);
  using c = await Tensor.from([1.001, 100.1]);
  t.false(await b.allClose(c));
  t.true(await b.allClose(c, { relative: 2e-3 }));
  t.true(await b.allClose(c, { relative: 0, absolute: 0.11 }));
  t.false(await a.allClose(a));
});

test.serial("bad operands are refused by name", async (t) => {
  using a = await Tensor.zeros([2, 3]);
  using b = await Tensor.zeros([2, 4]);
  const text = "[2, 3] and [2, 4]";
  const refusal = await t.throwsAsync(a.add(b), { code: "E_SHAPE" });
  t.true(refusal?.message.includes("add") && refusal.message.includes(text));
  await t.throwsAsync(a.matmul(b), { code: "E_SHAPE", message: /matmul.*\[2, 3\] and \[2, 4\]/ });
  await t.throwsAsync(a.allClose(b), { code: "E_SHAPE" });
  await t.throwsAsync(a.where(b, 0), { code: "E_SHAPE" });
  for (const value of ["1", undefined, null, 1n, true, [1]]) {
    await t.throwsAsync(a.add(value as unknown as Operand), { code: "E_ARGUMENT" });
  }
  using bool = await a.to("bool");
  await t.throwsAsync(bool.sub(1), { code: "E_DTYPE" });
  for (const op of ["neg", "abs", "floor", "round", "relu"] as const) {
    await t.throwsAsync(bool[op](), { code: "E_DTYPE" });
  }
  using integers = await a.to("int64");
  await t.throwsAsync(integers.pow(-1), { code: "E_ARGUMENT" });
  await t.throwsAsync(a.clamp(), { code: "E_ARGUMENT" });
  await t.throwsAsync(a.clamp("1" as unknown as number), { code: "E_ARGUMENT" });
  await t.throwsAsync(Tensor.einsum("ij,jk->ik", [a, b]), { code: "E_SHAPE" });
  await t.throwsAsync(Tensor.einsum("ij", []), { code: "E_ARGUMENT" });
  await t.throwsAsync(Tensor.einsum("?->i", [a]), { code: "E_ARGUMENT" });
});
