import type { CodecContext, FormatContext, Frame, Packet, Stream } from "node-av/lib";
import { damage } from "../fault.js";
import type { AudioPlace } from "../fault.js";
import type { FFmpeg } from "./ffmpeg-library.js";
import { isFiller } from "./packets.js";
import type { NamedFile } from "./protocol.js";
import { toSamples } from "./samples.js";

/** What is opened, whatever a file claims to be: no playlists, no network, no pictures. */
const demuxers = "wav,w64,flac,mp3,ogg,matroska,webm,mov,mp4,m4a,aac,aiff,caf,au,ac3,wv,tta,ape";
const decoders = [
  "flac,alac,mp3,mp3float,vorbis,opus,aac,ac3,eac3,wavpack,tta,ape,adpcm_ms,adpcm_ima_wav",
  "pcm_alaw,pcm_mulaw,pcm_u8,pcm_s8,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be",
  "pcm_f32le,pcm_f32be,pcm_f64le,pcm_f64be",
].join(",");
const highestRate = 10_000_000;
const noTimestamp = -(2n ** 63n);

/** Decoded samples of every channel, and their time in ticks of the stream. */
export interface DecodedFrame {
  readonly ticks: number | undefined;
  readonly length: number;
  readonly channels: readonly Float32Array[];
}

/** The audio of a file, open in FFmpeg: packets, frames and jumps. */
export class FFmpegFile {
  readonly name: string;
  readonly stream: Stream;
  readonly format: FormatContext;
  readonly codecName: string;
  readonly packet: Packet;
  readonly #ffmpeg: FFmpeg;
  readonly #decoder: CodecContext;
  readonly #frame: Frame;
  /** A packet that was read and is still to be decoded. */
  isPending = false;
  /** Damage does not count in what is decoded only to get the decoder going. */
  isForgiving = false;
  /** Where the next decoded sample lies, as far as is known. */
  seconds: number | undefined;
  /** Packets of the stream so far. */
  packetCount = 0;
  #isClosed = false;

  private constructor(ffmpeg: FFmpeg, name: string, format: FormatContext) {
    this.#ffmpeg = ffmpeg;
    this.name = name;
    this.format = format;
    const { stream, decoder, codecName } = openDecoder(ffmpeg, name, format);
    this.stream = stream;
    this.codecName = codecName;
    this.#decoder = decoder;
    this.packet = new ffmpeg.Packet();
    this.packet.alloc();
    this.#frame = new ffmpeg.Frame();
    this.#frame.alloc();
  }

  /** Open a file and read its headers. @throws E_AUDIO */
  static open(ffmpeg: FFmpeg, { path, name }: NamedFile): FFmpegFile {
    const format = new ffmpeg.FormatContext();
    const options = ffmpeg.Dictionary.fromObject({
      format_whitelist: demuxers,
      codec_whitelist: decoders,
      protocol_whitelist: "file",
    });
    try {
      const status = format.openInputSync(`file:${path}`, null, options);
      if (status < 0) throw damage(name, reasonOf(ffmpeg, status), { byteOffset: 0 });
      const found = format.findStreamInfoSync();
      if (found < 0) throw damage(name, reasonOf(ffmpeg, found), { byteOffset: 0 });
      return new FFmpegFile(ffmpeg, name, format);
    } catch (error) {
      format.closeInputSync();
      throw error;
    } finally {
      options.free();
    }
  }

  get sampleRate(): number {
    return this.stream.codecpar.sampleRate;
  }

  get channelCount(): number {
    return this.stream.codecpar.channels;
  }

  /** Samples in one tick of the stream's clock. */
  get samplesPerTick(): number {
    const { num, den } = this.stream.timeBase;
    return (num * this.sampleRate) / den;
  }

  /** Read the next packet of the stream; false at the end. @throws E_AUDIO */
  readPacket(): boolean {
    const { AVERROR_EOF } = this.#ffmpeg;
    for (;;) {
      this.packet.unref();
      const status = this.format.readFrameSync(this.packet);
      if (status === AVERROR_EOF) return false;
      if (status < 0) throw this.damaged(reasonOf(this.#ffmpeg, status));
      if (this.packet.streamIndex !== this.stream.index) continue;
      this.packetCount++;
      return true;
    }
  }

  /** Go to a time in ticks, or somewhat before. Returns whether that is possible. */
  seek(ticks: number): boolean {
    const { AVSEEK_FLAG_BACKWARD } = this.#ffmpeg;
    const target = BigInt(Math.floor(ticks));
    return this.format.seekFrameSync(this.stream.index, target, AVSEEK_FLAG_BACKWARD) >= 0;
  }

  /** Let the decoder forget what came before a jump. */
  flush(): void {
    this.#decoder.flushBuffers();
  }

  /** Decode from the current packet on. @throws E_AUDIO */
  *frames(onPacket: () => void): Generator<DecodedFrame> {
    for (let isOver = false; !isOver;) {
      isOver = !this.isPending && !this.readPacket();
      this.isPending = false;
      if (!isOver) onPacket();
      this.#check(this.#decoder.sendPacketSync(isOver ? null : this.packet));
      yield* this.#receive();
    }
  }

  *#receive(): Generator<DecodedFrame> {
    const { AVERROR_EAGAIN, AVERROR_EOF } = this.#ffmpeg;
    for (;;) {
      const status = this.#decoder.receiveFrameSync(this.#frame);
      if (status === AVERROR_EAGAIN || status === AVERROR_EOF) return;
      if (!this.#check(status)) return;
      yield this.#convert();
    }
  }

  #check(status: number): boolean {
    if (status >= 0) return true;
    if (this.isForgiving || this.#endsInHalfSample() || this.#isTag()) return false;
    throw this.damaged(reasonOf(this.#ffmpeg, status));
  }

  /** Plain samples may end in a part of one, as they do in some WAV files. */
  #endsInHalfSample(): boolean {
    const bits = /^pcm_\D+(\d+)/.exec(this.codecName)?.[1];
    return bits !== undefined && this.packet.size % ((Number(bits) / 8) * this.channelCount) > 0;
  }

  /** Tags between the frames of joined MP3 files arrive as packets. */
  #isTag(): boolean {
    return this.codecName === "mp3" && isFiller(this.packet.data ?? Buffer.alloc(1, 1));
  }

  #convert(): DecodedFrame {
    const frame = this.#frame;
    const { nbSamples: length, pts } = frame;
    const format = this.#ffmpeg.avGetSampleFmtName(frame.format as never) ?? "";
    if (frame.sampleRate !== this.sampleRate || frame.channels !== this.channelCount) {
      throw this.damaged("its sample rate or channels change");
    }
    const planes = frame.extendedData ?? [];
    const channels = toSamples(planes, format, this.channelCount, length);
    if (!channels) throw this.damaged(`its samples are of an unsupported kind (${format})`);
    const isFinite = channels.every((channel) => channel.every(Number.isFinite));
    if (!isFinite) throw this.damaged("a sample is no finite number");
    frame.unref();
    return { ticks: pts === noTimestamp ? undefined : Number(pts), length, channels };
  }

  /** Build the error of damage at the current packet. */
  damaged(reason: string, place: AudioPlace = {}): Error {
    const { pts, pos } = this.packet;
    const { num, den } = this.stream.timeBase;
    const time = pts === noTimestamp ? undefined : (Number(pts) * num) / den;
    const seconds = this.seconds ?? time;
    const byteOffset = pos >= 0n ? Number(pos) : undefined;
    return damage(this.name, reason, { seconds, byteOffset, ...place });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.packet.free();
    this.#frame.free();
    this.#decoder.freeContext();
    this.format.closeInputSync();
  }
}

function reasonOf(ffmpeg: FFmpeg, status: number): string {
  return `FFmpeg says: ${ffmpeg.FFmpegError.strerror(status)}`;
}

interface OpenedDecoder {
  readonly stream: Stream;
  readonly decoder: CodecContext;
  readonly codecName: string;
}

function openDecoder(ffmpeg: FFmpeg, name: string, format: FormatContext): OpenedDecoder {
  const found = format.findBestStream(ffmpeg.AVMEDIA_TYPE_AUDIO, -1, -1, true);
  const stream = format.streams?.[found.streamIndex];
  if (!stream || !found.decoder) throw damage(name, "it holds no audio that can be decoded");
  const { codecpar } = stream;
  if (codecpar.sampleRate < 1 || codecpar.sampleRate > highestRate) {
    throw damage(name, `it states a sample rate of ${codecpar.sampleRate}`);
  }
  if (codecpar.channels < 1) throw damage(name, `it states ${codecpar.channels} channels`);
  const decoder = new ffmpeg.CodecContext();
  decoder.allocContext3(found.decoder);
  decoder.parametersToContext(codecpar);
  decoder.pktTimebase = stream.timeBase;
  decoder.threadCount = 1;
  const codecName = ffmpeg.avGetCodecName(codecpar.codecId) ?? "unknown";
  if (codecName === "flac") decoder.setOption("err_detect", "crccheck+explode");
  const status = decoder.open2Sync(found.decoder);
  if (status < 0) throw damage(name, reasonOf(ffmpeg, status));
  return { stream, decoder, codecName };
}
