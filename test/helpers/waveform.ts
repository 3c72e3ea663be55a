const rate = 48_000;

/** White noise in ±1: a hash of the index, equal in every language. */
function noiseAt(index: number): number {
  let value = Math.imul(index + 1, 2654435761) >>> 0;
  value = (value ^ (value >>> 15)) >>> 0;
  value = Math.imul(value, 2246822519) >>> 0;
  value = (value ^ (value >>> 13)) >>> 0;
  return value / 2 ** 31 - 1;
}

/** The clip that test/reference/clap_model.py embeds: a chord that grows brighter, with noise. */
export function goldenWave(seconds: number): Float32Array {
  const turn = 2 * Math.PI;
  return Float32Array.from({ length: Math.round(seconds * rate) }, (_, index) => {
    const time = index / rate;
    const chord =
      0.3 * Math.sin(turn * 220 * time) + 0.2 * Math.sin(turn * (330 + 40 * time) * time);
    const swell = 0.5 + 0.5 * Math.sin(turn * 0.3 * time);
    return chord + 0.2 * swell * noiseAt(index);
  });
}
