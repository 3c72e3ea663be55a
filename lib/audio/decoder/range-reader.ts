import { damage } from "../fault.js";
import type { DecodedFrame, FFmpegFile } from "./ffmpeg-file.js";
import { FileBytes } from "./framing.js";
import { isFiller, opusDelay, opusPreskip, opusSamples, xingFrames } from "./packets.js";
import type { NamedFile } from "./protocol.js";

/** Decoded before a wanted sample that is jumped to, so that decoders with a memory settle. */
const prerollSeconds = 1;

/** How the start of a range is reached: by an index, by counting packets, or by decoding. */
export type Jump = "seek" | "count" | "none";

/** Reads one range of samples of a file that was just opened. */
export class RangeReader {
  readonly #source: FFmpegFile;
  readonly #file: NamedFile;
  readonly #container: string;
  /** Ticks of the first sample of the whole. */
  #origin: number | undefined;
  /** Place in the whole of the sample that is decoded next; undefined after a seek. */
  #next: number | undefined = 0;
  #packetSamples = 0;
  #expectedByte: number | undefined;
  /** Whether a seek led behind the start, so that nothing was read. */
  hasMissed = false;

  constructor(source: FFmpegFile, file: NamedFile, container: string) {
    this.#source = source;
    this.#file = file;
    this.#container = container;
  }

  *read(start: number, end: number, jump: Jump): Generator<readonly Float32Array[]> {
    const preroll = Math.round(prerollSeconds * this.#source.sampleRate);
    let isNear = jump === "none" || start < 3 * preroll;
    for (const frame of this.#source.frames(() => this.#seePacket())) {
      const at = this.#place(frame);
      if (at === undefined || (at > start && this.#source.isForgiving)) {
        this.hasMissed = true;
        return;
      }
      this.#next = at + frame.length;
      this.#source.seconds = this.#next / this.#source.sampleRate;
      if (this.#next > start) {
        this.#source.isForgiving = false;
        yield cut(frame, start - at, end - at);
      }
      if (this.#next >= end) return;
      if (!isNear) isNear = this.#jump(jump, start - preroll);
    }
    this.#checkEnd(start);
  }

  /** Place of a frame in the whole; undefined if its time does not tell. */
  #place({ ticks }: DecodedFrame): number | undefined {
    this.#origin ??= ticks;
    if (ticks === undefined || this.#origin === undefined) return this.#next;
    const place = Math.round((ticks - this.#origin) * this.#source.samplesPerTick);
    if (this.#next === undefined) return place;
    const isTimed = this.#container === "ogg" || this.#container === "flac";
    // The last page of an Ogg file is dated back by what is trimmed, so only gaps count.
    const isGap = place > this.#next + 64;
    if (!isTimed || !isGap || this.#source.isForgiving) return this.#next;
    throw this.#source.damaged("samples are missing or damaged");
  }

  /** Go near a sample. Returns true: one jump is enough. */
  #jump(jump: Jump, target: number): true {
    const source = this.#source;
    if (jump === "count") {
      const place = this.#placeByPackets();
      if (place === undefined) return true;
      this.#skipPackets(place, target);
    } else {
      const ticks = (this.#origin ?? 0) + target / source.samplesPerTick;
      if (source.samplesPerTick > 1 || !source.seek(ticks)) return true;
      this.#next = source.seconds = undefined;
      this.#expectedByte = undefined;
    }
    source.flush();
    source.isForgiving = true;
    return true;
  }

  /** Place of the next packet's first sample; undefined where counting cannot tell. */
  #placeByPackets(): number | undefined {
    const { codecName, stream } = this.#source;
    if (codecName !== "opus") return this.#next;
    const place = this.#packetSamples - (opusPreskip(stream.codecpar.extradata) ?? NaN);
    const delay = place - (this.#next ?? NaN);
    return delay === 0 || delay === opusDelay ? place : undefined;
  }

  /** Read packets without decoding them, up to the one that holds a sample. */
  #skipPackets(start: number, target: number): void {
    let place = start;
    while (this.#source.readPacket()) {
      const length = this.#lengthOfPacket();
      if (place + length > target) {
        this.#source.isPending = true;
        break;
      }
      this.#seePacket();
      place += length;
    }
    this.#next = place;
    this.#source.seconds = place / this.#source.sampleRate;
  }

  #lengthOfPacket(): number {
    const { codecName, packet, samplesPerTick } = this.#source;
    if (codecName === "opus") return opusSamples(packet.data ?? new Uint8Array(0));
    return Math.round(Number(packet.duration) * samplesPerTick);
  }

  #seePacket(): void {
    this.#packetSamples += this.#lengthOfPacket();
    this.#checkContinuity();
  }

  /** Frames of raw streams follow each other: what lies between two is tags, or damage. */
  #checkContinuity(): void {
    if (this.#container !== "mp3" && this.#container !== "aac") return;
    const { pos, size } = this.#source.packet;
    if (pos < 0n) return;
    const start = Number(pos);
    const expected = this.#expectedByte ?? start;
    this.#expectedByte = start + size;
    if (start <= expected) return;
    using file = new FileBytes(this.#file.path);
    if (isFiller(file.read(expected, Math.min(64, start - expected)))) return;
    throw this.#source.damaged("frames are damaged", { byteOffset: expected });
  }

  /** Compare what came with what the headers promised. */
  #checkEnd(start: number): void {
    const source = this.#source;
    if (this.#container === "mp3") {
      using file = new FileBytes(this.#file.path);
      const frames = xingFrames(file) ?? 0;
      if (source.packetCount < frames) throw this.#cutOff(frames, "frames", source.packetCount);
    }
    const isStated = ["flac", "mp4", "wav"].includes(this.#container);
    const promised = isStated
      ? Math.round(Number(source.stream.duration) * source.samplesPerTick)
      : 0;
    const slack = this.#container === "mp4" ? 4096 : 0;
    const count = this.#next ?? start; // after a jump beyond the end nothing is decoded
    if (count + slack < promised) throw this.#cutOff(promised, "samples", count);
  }

  #cutOff(promised: number, what: string, count: number): Error {
    using file = new FileBytes(this.#file.path);
    const seconds = (this.#next ?? 0) / this.#source.sampleRate;
    const reason = `it is cut off: it has ${count} of ${promised} ${what}`;
    return damage(this.#file.name, reason, { seconds, byteOffset: file.size });
  }
}

function cut({ channels, length }: DecodedFrame, from: number, to: number) {
  if (from <= 0 && to >= length) return channels;
  return channels.map((channel) => channel.subarray(Math.max(0, from), Math.min(length, to)));
}
