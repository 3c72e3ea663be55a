import { loadAudio } from "../../lib/audio/load.js";
import { MusicLDMError } from "../../lib/runtime/errors.js";
import { fixtureBytes, fixtures } from "./audio.js";
import { integers } from "./safetensors.js";

/** What mutated files came to. */
export interface FuzzReport {
  readonly decoded: number;
  readonly refused: number;
  /** Decoders that ended by a signal or hung, with the file's number. */
  readonly lost: readonly string[];
  /** Anything but samples and E_AUDIO. */
  readonly other: readonly string[];
}

const start = Number(process.argv[2]);
const count = Number(process.argv[3]);
const sources = fixtures.map((name) => fixtureBytes(name));

function mutate(index: number): Buffer {
  const pick = integers(index);
  const source = sources[index % sources.length] ?? Buffer.alloc(0);
  let bytes = Buffer.from(source);
  const kind = pick(5);
  if (kind === 0) bytes = bytes.subarray(0, pick(bytes.length));
  if (kind === 1 || kind === 4) {
    const reach = kind === 4 ? Math.min(200, bytes.length) : bytes.length; // the headers
    for (let flips = 1 + pick(16); flips > 0; flips--) {
      const at = pick(reach);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << pick(8));
    }
  }
  if (kind === 2) {
    const other = sources[pick(sources.length)] ?? source;
    bytes = Buffer.concat([
      bytes.subarray(0, pick(bytes.length)),
      other.subarray(pick(other.length)),
    ]);
  }
  if (kind === 3) {
    const from = pick(bytes.length);
    bytes.fill(pick(256), from, Math.min(bytes.length, from + 1 + pick(300)));
  }
  return bytes;
}

let decoded = 0;
let refused = 0;
const lost: string[] = [];
const other: string[] = [];

async function attempt(index: number): Promise<void> {
  try {
    await loadAudio(mutate(index), { channels: "all" });
    decoded++;
  } catch (error) {
    const isAudio = error instanceof MusicLDMError && error.code === "E_AUDIO";
    if (!isAudio) other.push(`${index}: ${String(error)}`);
    else if (/its decoder /.test(error.message)) lost.push(`${index}: ${error.message}`);
    else refused++;
  }
}

const lanes = Array.from({ length: 2 }, async (_, lane) => {
  for (let index = start + lane; index < start + count; index += 2) await attempt(index);
});
await Promise.all(lanes);
process.stdout.write(JSON.stringify({ decoded, refused, lost, other } satisfies FuzzReport));
