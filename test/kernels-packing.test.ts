import test from "ava";
import type { ExecutionContext } from "ava";
import type { UNet } from "../lib/diffusion/unet.js";
import type { Module, NamedTensors, Packing } from "../lib/nn/module.js";
import { call, memory, setThreads } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import { Block } from "./helpers/block.js";
import { assertClose } from "./helpers/golden.js";
import { capabilities, countCalls, packings, randomise, release } from "./helpers/kernels.js";
import { restoreCapability, selectCapability } from "./helpers/kernels.js";
import { labelWidth, makeAutoencoder, makeUNet, oddWidths } from "./helpers/networks.js";
import { runScript } from "./helpers/script.js";

setThreads(1);
test.afterEach.always(async () => {
  setThreads(1);
  await restoreCapability();
});

const widths = oddWidths[1]!;

function makeTransformer(channels: number): Promise<Block> {
  const shared = { heads: 4, layers: 1, groups: 4, linear_projection: false };
  return Block.create("transformer", { channels, ...shared, second_attention: true });
}

async function valuesOf(forward: () => Promise<Tensor>): Promise<Float32Array> {
  using result = await forward();
  return await result.floats();
}

/** Assert equality of bits; for long arrays much faster than a comparison that explains itself. */
function assertSame(t: ExecutionContext, [a, b]: readonly Float32Array[], what: string): void {
  t.true(a !== undefined && b !== undefined && Buffer.compare(bytes(a), bytes(b)) === 0, what);
}

function bytes({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

for (const capability of capabilities) {
  test.serial(`${capability}: threads and repeats change no bit`, async (t) => {
    await selectCapability(capability);
    using unet = await makeUNet(widths);
    using vae = await makeAutoencoder(widths);
    using labels = await Tensor.randn([2, labelWidth], { seed: 1 });
    // Few tiles and many, which are shared between threads in different ways.
    for (const frames of [3, 96]) {
      using latents = await Tensor.randn([2, 5, frames, 16], { seed: 2 });
      for (const packing of ["compact", "fast"] as const) {
        await unet.pack(packing);
        await vae.pack(packing);
        for (const forward of [() => unet.forward(latents, 3, labels), () => vae.decode(latents)]) {
          setThreads(1);
          const wanted = await valuesOf(forward);
          assertSame(t, [await valuesOf(forward), wanted], "repeat");
          setThreads(2);
          assertSame(t, [await valuesOf(forward), wanted], "two threads");
          assertSame(t, [await valuesOf(forward), wanted], "two threads again");
        }
      }
    }
  });
}

/** What a module gives now, against what it gives unpacked. */
async function assertFresh(
  t: ExecutionContext,
  [module, packing]: readonly [Module, Packing],
  forward: () => Promise<Tensor>,
  what: string,
): Promise<void> {
  using actual = await forward();
  await module.pack("none");
  using wanted = await forward();
  await module.pack(packing);
  await assertClose(t, [actual, wanted], 5e-6, what);
}

for (const packing of ["compact", "fast"] as const) {
  test.serial(`${packing}: new weights are packed anew`, async (t) => {
    using transformer = await makeTransformer(20);
    using resnet = await Block.create("resnet", {
      in_channels: 20,
      out_channels: 24,
      embedding_channels: 12,
      groups: 4,
      eps: 1e-5,
    });
    using x = await Tensor.randn([1, 20, 9, 8], { seed: 3 });
    using embedding = await Tensor.randn([1, 12], { seed: 4 });
    await transformer.initialise(0);
    await resnet.initialise(0);
    await transformer.pack(packing);
    await resnet.pack(packing);
    // The weights before are freed, so that new ones may come to lie where they lay.
    for (let seed = 1; seed < 6; seed += 1) {
      await randomise(transformer, seed);
      await randomise(resnet, seed);
      const mix = (): Promise<Tensor> => transformer.forward(x);
      const convolve = (): Promise<Tensor> => resnet.forward(x, embedding);
      await assertFresh(t, [transformer, packing], mix, `transformer ${seed}`);
      await assertFresh(t, [resnet, packing], convolve, `resnet ${seed}`);
      await transformer.initialise(seed);
      await resnet.initialise(seed);
      await assertFresh(t, [transformer, packing], mix, `transformer initialised ${seed}`);
      await assertFresh(t, [resnet, packing], convolve, `resnet initialised ${seed}`);
    }
  });

  test.serial(`${packing}: weights are packed anew for other instructions`, async (t) => {
    using unet = await makeUNet(widths);
    using latents = await Tensor.randn([1, 5, 12, 8], { seed: 5 });
    using labels = await Tensor.randn([1, labelWidth], { seed: 6 });
    using wanted = await unet.forward(latents, 3, labels);
    await unet.pack(packing);
    for (const capability of [...capabilities, ...capabilities]) {
      await selectCapability(capability);
      using actual = await unet.forward(latents, 3, labels);
      await assertClose(t, [actual, wanted], 1e-5, capability);
      const again = await countCalls(async () =>
        (await unet.forward(latents, 3, labels)).dispose(),
      );
      t.is(again.pack, 0, "packed once");
    }
  });
}

/** Gradients of every parameter, or of the one input that wants them. */
async function gradients(
  unet: UNet,
  inputs: { readonly latents: Tensor; readonly labels: Tensor },
  wanted: "parameters" | "latents" | "labels",
): Promise<NamedTensors> {
  using latents = await inputs.latents.clone();
  using labels = await inputs.labels.clone();
  if (wanted === "parameters") await unet.requiresGrad();
  else await (wanted === "latents" ? latents : labels).requiresGrad();
  using output = await unet.forward(latents, 3, labels);
  using squares = await output.mul(output);
  using loss = await squares.mean();
  await loss.backward();
  if (wanted === "parameters") return await unet.grads();
  const grad = await (wanted === "latents" ? latents : labels).grad();
  return grad === null ? {} : { grad };
}

for (const wanted of ["parameters", "latents", "labels"] as const) {
  test.serial(`packing changes no gradient of the ${wanted}`, async (t) => {
    using latents = await Tensor.randn([2, 5, 8, 8], { seed: 7 });
    using labels = await Tensor.randn([2, labelWidth], { seed: 8 });
    const results: NamedTensors[] = [];
    for (const packing of packings) {
      using unet = await makeUNet(widths);
      await unet.pack(packing);
      results.push(await gradients(unet, { latents, labels }, wanted));
    }
    const [plain = {}, ...packed] = results;
    t.true(Object.keys(plain).length > 0);
    for (const grads of packed) {
      t.deepEqual(Object.keys(grads), Object.keys(plain));
      for (const [name, grad] of Object.entries(grads)) {
        await assertClose(t, [grad, plain[name]!], wanted === "parameters" ? 0 : 1e-5, name);
      }
    }
    release(...results);
  });
}

for (const dtype of ["float16", "bfloat16"] as const) {
  test.serial(`${dtype}: packing leaves libtorch's operators in place`, async (t) => {
    using unet = await makeUNet(widths);
    await unet.to({ dtype });
    using latents = await Tensor.randn([1, 5, 8, 8], { seed: 9, dtype });
    using labels = await Tensor.randn([1, labelWidth], { seed: 10 });
    const plain = await valuesOf(() => unet.forward(latents, 3, labels));
    await unet.pack("fast");
    const results: Float32Array[] = [];
    const calls = await countCalls(async () => {
      results.push(await valuesOf(() => unet.forward(latents, 3, labels)));
    });
    t.deepEqual(results[0], plain);
    t.true(Object.values(calls).every((count) => count === 0));
    await unet.to({ dtype: "float32" });
    using wide = await latents.to("float32");
    const { direct } = await countCalls(() => valuesOf(() => unet.forward(wide, 3, labels)));
    t.true(direct > 0, "back in float32");
  });
}

/** Put one value into a copy of a tensor. */
async function withValue(tensor: Tensor, position: number, value: number): Promise<Tensor> {
  const values = await tensor.floats();
  values[position] = value;
  return Tensor.from(values, tensor.shape);
}

for (const capability of capabilities) {
  test.serial(`${capability}: what is not a number stays so`, async (t) => {
    await selectCapability(capability);
    using up = await Block.create("upsample", 20);
    using down = await Block.create("downsample", 20, 1);
    using transformer = await makeTransformer(20);
    using unet = await makeUNet(widths);
    using labels = await Tensor.randn([1, labelWidth], { seed: 11 });
    using mixed = await Tensor.randn([1, 20, 12, 8], { seed: 12 });
    using latents = await Tensor.randn([1, 5, 12, 8], { seed: 12 });
    const circular = { circular: false };
    const cases = [
      [up, mixed, (x: Tensor) => up.forward(x, [24, 16], circular)],
      [down, mixed, (x: Tensor) => down.forward(x, circular)],
      [transformer, mixed, (x: Tensor) => transformer.forward(x)],
      [unet, latents, (x: Tensor) => unet.forward(x, 3, labels)],
    ] as const;
    for (const [module, input, forward] of cases) {
      await randomise(module, 1);
      for (const value of [NaN, Infinity]) {
        using x = await withValue(input, 77, value);
        await module.pack("none");
        const wanted = await valuesOf(() => forward(x));
        for (const packing of ["compact", "fast"] as const) {
          await module.pack(packing);
          const actual = await valuesOf(() => forward(x));
          const lost = wanted.filter((y, i) => !Number.isFinite(y) && Number.isFinite(actual[i]));
          t.is(lost.length, 0, `${value}: lost of ${wanted.filter((y) => !isFinite(y)).length}`);
          t.false(wanted.every((y) => Number.isFinite(y)));
        }
      }
    }
  });

  test.serial(`${capability}: attention that overflows is not a number`, async (t) => {
    await selectCapability(capability);
    using block = await makeTransformer(20);
    await randomise(block, 2);
    const state = await block.state();
    const name = "transformer_blocks.0.attn1.to_q.weight";
    using large = await state[name]!.mul(1e38);
    await block.load({ ...state, [name]: large });
    using x = await Tensor.randn([1, 20, 12, 8], { seed: 13 });
    for (const packing of packings) {
      await block.pack(packing);
      t.true(
        (await valuesOf(() => block.forward(x))).every((y) => Number.isNaN(y)),
        packing,
      );
    }
    release(state);
  });
}

test.serial("the environment chooses among what the machine has", async (t) => {
  const script = `
    import { call } from "./lib/runtime/native.js";
    const answers = [];
    for (const op of ["kernels.capabilities", "kernels.capability"]) {
      answers.push(await call(op, []).catch(({ code, message }) => ({ code, message })));
    }
    process.stdout.write(JSON.stringify(answers));`;
  const choose = async (name: string): Promise<unknown[]> =>
    runScript(script, { ...process.env, MUSICLDM_CPU_CAPABILITY: name });
  for (const name of capabilities) t.deepEqual(await choose(name), [capabilities, name]);
  t.deepEqual(await choose(""), [capabilities, capabilities[0]]);
  const known = capabilities.join(", ");
  const message = `Expected one of ${known} for the CPU capability but received sse9`;
  t.deepEqual(await choose("sse9"), [capabilities, { code: "E_ARGUMENT", message }]);
});

test.serial("refuses unknown packings and capabilities", async (t) => {
  using block = await makeTransformer(20);
  await block.initialise(1);
  const refused = { code: "E_ARGUMENT", message: /none, compact or fast for the packing/ };
  await t.throwsAsync(block.pack("quick" as Packing), refused);
  await t.throwsAsync(call("kernels.select_capability", ["mmx"]), { code: "E_ARGUMENT" });
  t.is(await call("kernels.capability", []), capabilities[0]);
});

test.serial("packed modules leave nothing behind", async (t) => {
  const before = memory();
  {
    const unet = await makeUNet(widths);
    await unet.pack("fast");
    using latents = await Tensor.randn([1, 5, 64, 16], { seed: 14 });
    using labels = await Tensor.randn([1, labelWidth], { seed: 15 });
    const signal = AbortSignal.abort();
    await t.throwsAsync(unet.forward(latents, 3, labels, { signal }), { code: "E_ABORTED" });
    const running = unet.forward(latents, 3, labels);
    unet.dispose();
    using output = await running;
    t.true(await output.allFinite());
    await t.throwsAsync(unet.forward(latents, 3, labels), { code: "E_DISPOSED" });
    await t.throwsAsync(unet.pack("none"), { code: "E_DISPOSED" });
  }
  t.deepEqual(memory(), before);
});
