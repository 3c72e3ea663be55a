import type { Module, NamedTensors } from "../../lib/nn/module.js";
import { linearCombination } from "../../lib/tensor/domain.js";
import { sizeOf } from "../../lib/tensor/validate.js";
import { Tensor } from "../../lib/tensor/tensor.js";

const betas = [0.9, 0.99] as const;
const eps = 1e-8;
/** Longer gradients are scaled down to this norm. */
const maxNorm = 1;
/** Of the running mean of the weights. */
const averaging = 0.995;

type Shapes = ReadonlyMap<string, readonly number[]>;
type State = Record<"weights" | "average" | "first" | "second", Tensor>;

/**
 * Adam over all parameters of a module as one long vector, with a running mean of the weights.
 *
 * Source: Kingma and Ba, arXiv 1412.6980, algorithm 1.
 */
export class Adam implements Disposable {
  readonly #module: Module;
  readonly #shapes: Shapes;
  readonly #state: State;
  #steps = 0;

  private constructor(module: Module, shapes: Shapes, state: State) {
    this.#module = module;
    this.#shapes = shapes;
    this.#state = state;
  }

  static async create(module: Module): Promise<Adam> {
    const parameters = await module.state();
    const shapes = new Map(Object.entries(parameters).map(([name, { shape }]) => [name, shape]));
    const attached = await flatten(parameters, [...shapes.keys()]);
    const weights = await attached.detach();
    attached.dispose();
    await module.requiresGrad();
    return new Adam(module, shapes, {
      weights,
      average: await weights.clone(),
      first: await Tensor.zeros(weights.shape),
      second: await Tensor.zeros(weights.shape),
    });
  }

  /** Move the parameters against the gradients that `backward` has left, and drop these. */
  async step(rate: number): Promise<void> {
    this.#steps += 1;
    const [decay1, decay2] = betas;
    using gradient = await this.#takeGradient();
    using square = await gradient.mul(gradient);
    await this.#mix("first", gradient, decay1);
    await this.#mix("second", square, decay2);
    using root = await this.#state.second.sqrt();
    const correction = Math.sqrt(1 - decay2 ** this.#steps);
    using scaled = await root.div(correction);
    using divisor = await scaled.add(eps);
    using direction = await this.#state.first.div(divisor);
    const length = -rate / (1 - decay1 ** this.#steps);
    const moved = await linearCombination([this.#state.weights, direction], [1, length]);
    this.#state.weights.dispose();
    this.#state.weights = moved;
    await this.#mix("average", moved, Math.min(averaging, this.#steps / (this.#steps + 9)));
    await this.#load(moved);
  }

  /** Put the running mean in place of the parameters. */
  async finish(): Promise<void> {
    await this.#load(this.#state.average);
    await this.#module.requiresGrad(false);
  }

  async #mix(name: keyof State, fresh: Tensor, decay: number): Promise<void> {
    const old = this.#state[name];
    this.#state[name] = await linearCombination([old, fresh], [decay, 1 - decay]);
    old.dispose();
  }

  async #takeGradient(): Promise<Tensor> {
    using raw = await flatten(await this.#module.grads(), [...this.#shapes.keys()]);
    await this.#module.to({ dtype: "float32" });
    using norm = await raw.norm();
    return await raw.mul(Math.min(1, maxNorm / (await norm.item())));
  }

  /** Cut the vector into parameters. */
  async #load(vector: Tensor): Promise<void> {
    let end = 0;
    const cut = [...this.#shapes].map(async ([name, shape]) => {
      const start = end;
      end += sizeOf(shape);
      using part = await vector.slice(0, start, start + sizeOf(shape));
      using shaped = await part.reshape(shape);
      return [name, await shaped.clone()] as const;
    });
    const parameters = await Promise.all(cut);
    await this.#module.load(Object.fromEntries(parameters));
    for (const [, tensor] of parameters) tensor.dispose();
  }

  [Symbol.dispose](): void {
    for (const tensor of Object.values(this.#state)) tensor.dispose();
  }
}

/** Join tensors into one vector, in the order of the names; they are freed. */
async function flatten(tensors: NamedTensors, names: readonly string[]): Promise<Tensor> {
  const rows = await Promise.all(names.map((name) => tensors[name]!.flatten()));
  const joined = await Tensor.cat(rows);
  for (const tensor of [...rows, ...Object.values(tensors)]) tensor.dispose();
  return joined;
}
