import { join } from "node:path";
import { writeSafetensors } from "../lib/checkpoint/index.js";
import { Module } from "../lib/nn/module.js";
import { call } from "../lib/runtime/native.js";
import type { NativeReference, NativeTensor } from "../lib/runtime/native.js";
import { Tensor } from "../lib/tensor/tensor.js";
import type { Conv2dShape } from "./layers.js";
import { stopwatch } from "./stopwatch.js";
import type { Timing } from "./stages.js";

/** One packed convolution of this library. */
export class Convolution extends Module {
  private constructor({ handle }: NativeReference) {
    super(handle);
  }

  static async create(shape: Conv2dShape): Promise<Convolution> {
    const { inChannels, outChannels, kernel, stride } = shape;
    const options = { inChannels, outChannels, kernel, stride, padding: (kernel - 1) / 2 };
    return new Convolution(await call<NativeReference>("layer.create_conv2d", [options]));
  }

  async forward(x: Tensor): Promise<Tensor> {
    return Tensor.fromNative(await call<NativeTensor>("layer.conv2d", [this, x]));
  }
}

/** A convolution with what it works on, which is also in a file. */
export class ConvolutionWork implements Disposable {
  readonly shape: Conv2dShape;
  /** Path of the safetensors file: `x`, `weight`, `bias`. */
  readonly file: string;
  readonly #module: Convolution;
  readonly #x: Tensor;

  private constructor(shape: Conv2dShape, file: string, module: Convolution, x: Tensor) {
    this.shape = shape;
    this.file = file;
    this.#module = module;
    this.#x = x;
  }

  /** Draw input and weights, and pack the weights. */
  static async create(shape: Conv2dShape, folder: string): Promise<ConvolutionWork> {
    const { batch, inChannels, stride, frames, bins } = shape;
    const file = join(folder, "convolution-inputs.safetensors");
    const module = await Convolution.create(shape);
    await module.initialise(0);
    await module.pack("fast");
    // Channels-last, as the layer before leaves it.
    using drawn = await Tensor.randn([batch, stride * frames, stride * bins, inChannels], {
      seed: 1,
    });
    const x = await drawn.permute([0, 3, 1, 2]);
    const { weight, bias } = await module.state();
    if (!weight || !bias) throw new Error("Expected a convolution to have a weight and a bias");
    using plain = await x.contiguous();
    await writeSafetensors(file, { x: plain, weight, bias });
    weight.dispose();
    bias.dispose();
    return new ConvolutionWork(shape, file, module, x);
  }

  async run(repeats: number): Promise<Timing> {
    const elapsed = stopwatch();
    for (let i = 0; i < repeats; i += 1) (await this.#module.forward(this.#x)).dispose();
    return elapsed(repeats);
  }

  async output(): Promise<Float32Array> {
    using output = await this.#module.forward(this.#x);
    return await output.floats();
  }

  [Symbol.dispose](): void {
    this.#x.dispose();
    this.#module.dispose();
  }
}
