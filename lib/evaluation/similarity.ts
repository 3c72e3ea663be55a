import { expected, MusicLDMError } from "../runtime/errors.js";
import { Tensor } from "../tensor/tensor.js";
import type { ScoreMatrix } from "./ranks.js";

/** Similarities that exist at one time: 16 MB. */
const blockValues = 2 ** 22;

/** Rows of equal length, as one array. @throws E_ARGUMENT, E_SHAPE, E_NONFINITE */
function pack(name: string, rows: readonly Float32Array[], length: number): Float32Array {
  const packed = new Float32Array(rows.length * length);
  for (const [index, row] of rows.entries()) {
    if (!(row instanceof Float32Array)) {
      throw expected("E_ARGUMENT", "a Float32Array", `${name}[${index}]`, row);
    }
    if (row.length !== length) {
      throw expected("E_SHAPE", `${length} values`, `${name}[${index}]`, row.length);
    }
    if (!row.every(Number.isFinite)) {
      const message = `Expected finite values for ${name}[${index}] but received others`;
      throw new MusicLDMError("E_NONFINITE", message, { stage: name, row: index });
    }
    packed.set(row, index * length);
  }
  return packed;
}

/** Yield `queries · candidatesᵀ`, some rows at a time. @throws E_ARGUMENT, E_SHAPE, E_NONFINITE */
export async function* similarityBlocks(
  name: string,
  [queries, candidates]: readonly [readonly Float32Array[], readonly Float32Array[]],
): AsyncGenerator<ScoreMatrix> {
  const width = queries[0]?.length ?? 0;
  if (width === 0 || candidates.length === 0) {
    throw expected("E_ARGUMENT", "at least one embedding", name, queries);
  }
  const columns = candidates.length;
  const packed = pack("candidates", candidates, width);
  using right = await Tensor.from(packed, [columns, width]);
  using transposed = await right.transpose(0, 1);
  const step = Math.max(1, Math.floor(blockValues / columns));
  for (let start = 0; start < queries.length; start += step) {
    const block = queries.slice(start, start + step);
    using left = await Tensor.from(pack(name, block, width), [block.length, width]);
    using product = await left.matmul(transposed);
    yield { values: await product.floats(), rows: block.length, columns };
  }
}
