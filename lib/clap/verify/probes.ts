/** A sound whose name everybody agrees on. */
export interface Probe {
  readonly name: string;
  readonly caption: string;
  readonly samples: Float32Array;
}

/** Numbers in −1..1 that are the same everywhere: a linear congruential generator. */
export function noiseSource(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

/** Make the probes, each of `seconds`. */
export function makeProbes(sampleRate: number, seconds: number): readonly Probe[] {
  const count = Math.round(seconds * sampleRate);
  const make = (sample: (time: number, index: number) => number): Float32Array =>
    Float32Array.from({ length: count }, (_, i) => sample(i / sampleRate, i));
  const turn = 2 * Math.PI;
  const white = noiseSource(1);
  const period = Math.round(sampleRate / 2);
  return [
    {
      name: "tone",
      caption: "a pure sine tone, an electronic beep",
      samples: make((time) => 0.5 * Math.sin(turn * 1000 * time)),
    },
    {
      name: "noise",
      caption: "white noise, static hiss",
      samples: make(() => 0.3 * white()),
    },
    {
      name: "clicks",
      caption: "a ticking clock, clicks of a metronome",
      samples: make((_, index) => (index % period < 20 ? 0.9 * (1 - (index % period) / 20) : 0)),
    },
    {
      name: "siren",
      caption: "a wailing siren",
      // Phase of a frequency that goes up and down between 500 and 1500 Hz every 2 s.
      samples: make((time) => 0.5 * Math.sin(turn * 1000 * time - 1000 * Math.cos(Math.PI * time))),
    },
    { name: "silence", caption: "silence", samples: make(() => 0) },
  ];
}

/** Texts that have next to nothing in common. */
export const probeTexts = [
  "piano",
  "drums",
  "storm",
  "birds",
  "train",
  "laugh",
  "water",
  "siren",
  "glass",
  "horse",
  "flute",
  "crowd",
] as const;
