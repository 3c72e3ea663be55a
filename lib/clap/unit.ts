import { MusicLDMError } from "../runtime/errors.js";
import { Tensor } from "../tensor/tensor.js";

/** Below this norm an embedding is not scaled up to length 1 (PyTorch's `normalize`). */
const minNorm = 1e-12;

/** Scale each row of `[rows, W]` to unit norm, in float32. */
export async function unitRows(tensor: Tensor): Promise<Tensor> {
  using floats = await tensor.to("float32");
  using norm = await floats.norm([1], { keepDim: true });
  using divisor = await norm.clamp(minNorm);
  return await floats.div(divisor);
}

/** Copy the rows of `[rows, W]` out. @throws E_NONFINITE with `stage` */
export async function rowsOf(tensor: Tensor, stage: string): Promise<Float32Array[]> {
  if (!(await tensor.allFinite())) {
    const message = `Expected finite embeddings for stage ${stage} but they have NaN or infinity`;
    throw new MusicLDMError("E_NONFINITE", message, { stage, step: 1 });
  }
  const values = await tensor.floats();
  const width = tensor.shape[1] ?? 0;
  const count = tensor.shape[0] ?? 0;
  return Array.from({ length: count }, (_, i) => values.slice(i * width, (i + 1) * width));
}

/** Put rows of one width into a tensor `[rows, W]`. */
export async function tensorOf(rows: readonly Float32Array[]): Promise<Tensor> {
  const width = rows[0]?.length ?? 0;
  const values = new Float32Array(rows.length * width);
  rows.forEach((row, i) => values.set(row, i * width));
  return Tensor.from(values, [rows.length, width]);
}
