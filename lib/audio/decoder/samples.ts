/** Scale of the integer formats of FFmpeg, and how to see a plane of bytes as numbers. */
const kinds = {
  u8: { scale: 2 ** 7, zero: 2 ** 7, view: Uint8Array },
  s16: { scale: 2 ** 15, zero: 0, view: Int16Array },
  s32: { scale: 2 ** 31, zero: 0, view: Int32Array },
  flt: { scale: 1, zero: 0, view: Float32Array },
  dbl: { scale: 1, zero: 0, view: Float64Array },
} as const;

type Kind = keyof typeof kinds;

function isKind(name: string): name is Kind {
  return Object.hasOwn(kinds, name);
}

/**
 * Convert the planes of a frame to samples in ±1.
 *
 * @param format as FFmpeg names it: `"s16"` interleaved, `"s16p"` with a plane for each channel
 * @returns undefined for a format that is not known
 */
export function toSamples(
  planes: readonly Uint8Array[],
  format: string,
  channelCount: number,
  length: number,
): readonly Float32Array[] | undefined {
  const isPlanar = format.endsWith("p");
  const kind = isPlanar ? format.slice(0, -1) : format;
  if (!isKind(kind) || planes.length < (isPlanar ? channelCount : 1)) return undefined;
  const stride = isPlanar ? 1 : channelCount;
  return Array.from({ length: channelCount }, (_, c) => {
    const plane = planes[isPlanar ? c : 0] ?? new Uint8Array(0);
    return convertPlane(plane, kind, { first: isPlanar ? 0 : c, stride, length });
  });
}

interface Places {
  readonly first: number;
  readonly stride: number;
  readonly length: number;
}

function convertPlane(plane: Uint8Array, kind: Kind, { first, stride, length }: Places) {
  const { scale, zero, view: View } = kinds[kind];
  const width = View.BYTES_PER_ELEMENT;
  const isAligned = plane.byteOffset % width === 0;
  const bytes = isAligned ? plane : Uint8Array.from(plane);
  const values = new View(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length / width);
  const samples = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    samples[i] = ((values[first + i * stride] ?? 0) - zero) / scale;
  }
  return samples;
}
