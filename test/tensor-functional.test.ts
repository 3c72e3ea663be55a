import test from "ava";
import { Tensor } from "../lib/tensor/tensor.js";
import { declareLifetimeTest, declareOpTests, through } from "./helpers/tensor-ops.js";

declareLifetimeTest();

declareOpTests(1e-6, {
  conv1d: (x) =>
    x("audio").conv1d(x("weight_conv1d"), {
      bias: x("weight_bias6"),
      stride: 2,
      padding: [3],
      dilation: 2,
    }),
  conv1d_grouped: (x) => x("audio").conv1d(x("weight_grouped"), { groups: 2 }),
  conv2d: (x) =>
    x("image").conv2d(x("weight_conv2d"), {
      bias: x("weight_bias6"),
      stride: [2, 1],
      padding: [1, 2],
    }),
  conv_transpose1d: (x) =>
    x("audio").convTranspose1d(x("weight_transposed"), {
      bias: x("weight_bias5"),
      stride: 3,
      padding: 1,
      outputPadding: 1,
    }),
  layer_norm: (x) =>
    x("a").layerNorm([4], { weight: x("weight_channel"), bias: x("weight_shift"), eps: 1e-3 }),
  layer_norm_plain: (x) => x("a").layerNorm([3, 4]),
  group_norm: (x) =>
    x("audio").groupNorm(2, { weight: x("weight_channel"), bias: x("weight_shift"), eps: 1e-6 }),
  relu: (x) => x("a").relu(),
  silu: (x) => x("a").silu(),
  gelu: (x) => x("a").gelu(),
  gelu_tanh: (x) => x("a").gelu("tanh"),
  leaky_relu: (x) => x("a").leakyRelu(0.1),
  softmax: (x) => x("a").softmax(1),
  log_softmax: (x) => x("a").logSoftmax(),
  interpolate1d: (x) => x("audio").interpolate({ size: [13] }),
  interpolate2d: (x) => x("image").interpolate({ scale: 2 }),
  attention: (x) => x("query").scaledDotProductAttention(x("key"), x("value")),
  attention_masked: (x) =>
    x("query").scaledDotProductAttention(x("key"), x("value"), { mask: x("scores"), scale: 0.5 }),
  attention_causal: async (x) => {
    using key = await x("key").slice(2, 0, 5);
    using value = await x("value").slice(2, 0, 5);
    return await x("query").scaledDotProductAttention(key, value, { isCausal: true });
  },
});

// bfloat16 has 8 bits.
declareOpTests(4e-3, {
  softmax_bfloat16: (x) => through(x("a").to("bfloat16"), (half) => half.softmax()),
});

test.serial("a convolution of a view equals that of its copy", async (t) => {
  using wide = await Tensor.randn([2, 9, 4], { seed: 1 });
  using view = await wide.transpose(1, 2);
  using copy = await view.contiguous();
  using weight = await Tensor.randn([3, 4, 3], { seed: 2 });
  using fromView = await view.conv1d(weight);
  using fromCopy = await copy.conv1d(weight);
  t.true(await fromView.allClose(fromCopy));
});

test.serial("an empty batch stays empty", async (t) => {
  using none = await Tensor.zeros([0, 4, 9]);
  using weight = await Tensor.zeros([3, 4, 3]);
  using result = await none.conv1d(weight);
  t.deepEqual(result.shape, [0, 3, 7]);
});

test.serial("bad arguments are refused", async (t) => {
  using a = await Tensor.zeros([2, 4, 9]);
  using weight = await Tensor.zeros([3, 5, 3]);
  using fitting = await Tensor.zeros([3, 4, 3]);
  using integers = await a.to("int64");
  await t.throwsAsync(a.conv1d(weight), { code: "E_SHAPE", message: /conv1d.*\[3, 5, 3\]/s });
  await t.throwsAsync(a.conv2d(weight), { code: "E_SHAPE" });
  await t.throwsAsync(integers.conv1d(fitting), { code: "E_DTYPE" });
  await t.throwsAsync(a.conv1d(fitting, { stride: 0 }), { code: "E_ARGUMENT" });
  await t.throwsAsync(a.conv1d(fitting, { padding: [1, 1] }), { code: "E_ARGUMENT" });
  await t.throwsAsync(a.conv1d(fitting, { groups: 0 }), { code: "E_ARGUMENT" });
  await t.throwsAsync(a.groupNorm(3), { code: "E_SHAPE" });
  await t.throwsAsync(a.layerNorm([8]), { code: "E_SHAPE" });
  await t.throwsAsync(integers.softmax(), { code: "E_DTYPE" });
  await t.throwsAsync(a.softmax(3), { code: "E_ARGUMENT" });
  await t.throwsAsync(a.gelu("erf" as "none"), { code: "E_ARGUMENT" });
  await t.throwsAsync(a.interpolate({}), { code: "E_ARGUMENT" });
  await t.throwsAsync(a.interpolate({ size: [3], scale: 2 }), { code: "E_ARGUMENT" });
  await t.throwsAsync(a.interpolate({ size: [3, 3] }), { code: "E_ARGUMENT" });
  await t.throwsAsync(a.interpolate({ scale: 0 }), { code: "E_SHAPE" });
  await t.throwsAsync(a.scaledDotProductAttention(weight, weight), { code: "E_SHAPE" });
});
