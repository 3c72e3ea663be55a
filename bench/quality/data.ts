import { Tensor } from "../../lib/tensor/tensor.js";
import { createNormal, createRandom } from "./random.js";

/** Frames and bins of a made-up log-mel. */
export const frames = 64;
export const bins = 64;
/** Kinds of music: four registers, pitched or struck. */
export const classCount = 8;
export const labelWidth = 16;

/** Log-mels `[N, 1, frames, bins]` and the class of each. */
export interface Batch extends Disposable {
  readonly mels: Tensor;
  readonly classes: readonly number[];
}

interface Note {
  readonly start: number;
  readonly decayFrames: number;
  readonly level: number;
  /** Centre and width of each partial, in bins. */
  readonly partials: readonly (readonly [centre: number, width: number])[];
}

const noiseFloor = 1e-4;
const periods = [6, 8, 12, 16] as const;
const scale = [0, 2, 4, 5, 7] as const;

/**
 * Draw log-mels with the structure of music: notes on a beat that decay, with partials (even
 * classes) or as bursts over many bins (odd classes), in a register of their own. Phase, pitches,
 * levels and decays are random.
 */
export async function drawMels(seed: number, count: number): Promise<Batch> {
  const random = createRandom(seed);
  const normal = createNormal(seed + 1);
  const classes = Array.from({ length: count }, (_, i) => i % classCount);
  const values = new Float32Array(count * frames * bins);
  classes.forEach((kind, i) => {
    const energy = new Float32Array(frames * bins).fill(noiseFloor);
    for (const note of drawNotes(kind, random)) addNote(energy, note);
    energy.forEach((value, j) => {
      values[i * frames * bins + j] = Math.log(value) / 2 + 0.1 * normal();
    });
  });
  const mels = await Tensor.from(values, [count, 1, frames, bins]);
  return { mels, classes, [Symbol.dispose]: () => mels.dispose() };
}

function drawNotes(kind: number, random: () => number): readonly Note[] {
  const period = periods[(kind >> 1) % periods.length]!;
  const register = 4 + 9 * (kind >> 1);
  const decayFrames = period * (0.3 + 0.9 * random());
  const notes: Note[] = [];
  for (let start = -period * random(); start < frames; start += period) {
    const pitch = register + scale[Math.floor(random() * scale.length)]!;
    const partials =
      kind % 2 === 0
        ? ([0, 12, 19, 24] as const).map((above) => [pitch + above, 0.8] as const)
        : [[pitch + 8, 5] as const];
    notes.push({ start, decayFrames, level: Math.exp(1.5 * random()), partials });
  }
  return notes;
}

function addNote(energy: Float32Array, { start, decayFrames, level, partials }: Note): void {
  for (let t = Math.max(0, Math.ceil(start)); t < frames; t += 1) {
    const loudness = level * Math.exp((-2 * (t - start)) / decayFrames);
    partials.forEach(([centre, width], rank) => {
      for (let f = 0; f < bins; f += 1) {
        const bump = Math.exp(-(((f - centre) / width) ** 2)) / (1 + rank) ** 2;
        energy[t * bins + f] = energy[t * bins + f]! + loudness * bump;
      }
    });
  }
}

/** Unit-norm labels `[classes + 1, labelWidth]`; the last row stands for no condition. */
export async function drawLabels(): Promise<Tensor> {
  using raw = await Tensor.randn([classCount + 1, labelWidth], { seed: 11 });
  using norm = await raw.norm([1], { keepDim: true });
  return await raw.div(norm);
}

/** Rows of a table, with repeats. */
export async function pickRows(table: Tensor, rows: readonly number[]): Promise<Tensor> {
  using indices = await Tensor.from(BigInt64Array.from(rows, BigInt), [rows.length]);
  return await table.indexSelect(0, indices);
}
