/** Samples of a clip that are embedded together. */
export interface WindowOfClip {
  /** First sample, counted from the start of the clip. */
  readonly start: number;
  readonly samples: Float32Array;
}

/**
 * Cover a clip that arrives in chunks with windows of `size` samples, one every `hop` samples; the
 * last one ends where the clip ends. A clip that is no longer than one window is a window as it
 * is. The windows do not depend on where the chunks begin, and no more than a window and a chunk is
 * in memory.
 */
export async function* coverWithWindows(
  chunks: AsyncIterable<Float32Array>,
  size: number,
  hop: number,
): AsyncGenerator<WindowOfClip> {
  let kept = new Float32Array(0);
  let first = 0; // position of kept[0]
  let next = 0; // where the next window starts
  const cut = (start: number): WindowOfClip => {
    return { start, samples: kept.slice(start - first, start - first + size) };
  };
  for await (const chunk of chunks) {
    kept = join(kept, chunk);
    const end = first + kept.length;
    for (; next + size <= end; next += hop) yield cut(next);
    // The last window may start before `next`.
    const needed = Math.max(first, Math.min(next, end - size));
    kept = kept.slice(needed - first);
    first = needed;
  }
  const end = first + kept.length;
  const covered = next === 0 ? 0 : next - hop + size;
  if (covered < end) yield cut(Math.max(0, end - size));
}

/** How many windows `coverWithWindows` makes of a clip. */
export function countWindows(samples: number, size: number, hop: number): number {
  return samples <= size ? 1 : Math.ceil((samples - size) / hop) + 1;
}

function join(left: Float32Array, right: Float32Array): Float32Array<ArrayBuffer> {
  const joined = new Float32Array(left.length + right.length);
  joined.set(left);
  joined.set(right, left.length);
  return joined;
}
