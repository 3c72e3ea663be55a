import { Module } from "../../lib/nn/module.js";
import { call } from "../../lib/runtime/native.js";
import type { NativeReference, NativeTensor } from "../../lib/runtime/native.js";
import { Tensor } from "../../lib/tensor/tensor.js";

/** A block of a network on its own, by the names of its ops. */
export class Block extends Module {
  readonly #op: string;

  private constructor({ handle }: NativeReference, op: string) {
    super(handle);
    this.#op = op;
  }

  /** A block of the UNet. */
  static async create(name: string, ...args: readonly unknown[]): Promise<Block> {
    return Block.of("unet", name, ...args);
  }

  static async of(stem: string, name: string, ...args: readonly unknown[]): Promise<Block> {
    const reference = await call<NativeReference>(`${stem}.create_${name}`, args);
    return new Block(reference, `${stem}.${name}`);
  }

  async forward(...args: readonly unknown[]): Promise<Tensor> {
    return Tensor.fromNative(await call<NativeTensor>(this.#op, [this, ...args]));
  }
}
