import type { CallOptions } from "../runtime/abort.js";
import { call } from "../runtime/native.js";
import type { NativeTensor } from "../runtime/native.js";
import { checkTensor } from "../tensor/base.js";
import { Tensor } from "../tensor/tensor.js";
import { checkName } from "../tensor/validate.js";
import { melPresets } from "./mel-presets.js";
import type { MelPresetName } from "./mel-presets.js";
import { completeStft } from "./stft.js";
import type { StftSettings } from "./stft.js";

/** How a wave becomes a mel spectrogram. */
export interface MelSettings extends StftSettings {
  readonly sampleRate: number;
  readonly melBins: number;
  /** Lowest and highest frequency of the filters, in hertz. */
  readonly fMin: number;
  readonly fMax: number;
  /** `"slaney"`: linear below 1 kHz (librosa); `"htk"`: 2595 · log10(1 + f / 700) (torchaudio). */
  readonly scale: "slaney" | "htk";
  /** `"area"` divides each filter by half its width in hertz. */
  readonly norm: "area" | "none";
  /** In which unit the slopes of the filters are straight. */
  readonly slopes: "hertz" | "mel";
  /** Of the spectrum: 1 for magnitudes, 2. */
  readonly power: 1 | 2;
  /** Added to the power of every bin, before its square root. */
  readonly epsilon: number;
  /** Least mel value. */
  readonly floor: number;
  /** Added to every mel value after that. */
  readonly offset: number;
  /** Logarithm at the end; `"dB"` is 10 · log10 of powers and 20 · log10 of magnitudes. */
  readonly compression: "none" | "ln" | "log10" | "dB";
  /**
   * Of transforms and filters. In `"float32"` the rounding of a loud tone lies 140 dB below it;
   * transformers and librosa's filters compute in `"float64"`.
   */
  readonly precision: "float32" | "float64";
}

/**
 * A preset, and what differs from it. What neither names: `fMin` 0, `fMax` half the sample rate,
 * `"slaney"`, `"area"`, `"hertz"`, `epsilon`, `floor` and `offset` 0, `"float32"`, and the defaults
 * of `stft`.
 */
export interface MelOptions extends Partial<MelSettings>, CallOptions {
  /** Default `"musicldm"`. */
  readonly preset?: MelPresetName;
}

const presetNames = Object.keys(melPresets) as readonly MelPresetName[];

function completeMel({ preset = "musicldm", ...options }: MelOptions): MelSettings {
  checkName(presetNames, "preset", preset);
  const chosen = { ...(melPresets[preset] as Partial<MelSettings>), ...defined(options) };
  const { sampleRate = 16_000, melBins = 64, fMin = 0, fMax = sampleRate / 2 } = chosen;
  const { scale = "slaney", norm = "area", slopes = "hertz", power = 1 } = chosen;
  const {
    epsilon = 0,
    floor = 0,
    offset = 0,
    compression = "none",
    precision = "float32",
  } = chosen;
  const range = { sampleRate, melBins, fMin, fMax, scale, norm, slopes };
  return {
    ...completeStft(chosen),
    ...range,
    power,
    epsilon,
    floor,
    offset,
    compression,
    precision,
  };
}

function defined(options: Partial<MelSettings>): Partial<MelSettings> {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries);
}

/**
 * Compute a mel spectrogram, such as `{ preset: "clap" }` or of settings of your own.
 *
 * `wave [B, T]` f32 in ±1 → `[B, frames, melBins]`. Differentiable; without gradients, and on the
 * CPU, frames are transformed and filtered in the cache, several at once, and no spectrum is kept.
 * NaN and infinity reach the frames that hold them.
 * @throws E_ARGUMENT, E_DTYPE, E_ABORTED, E_SHAPE for a wave shorter than frame or mirror
 */
export async function melSpectrogram(wave: Tensor, options: MelOptions = {}): Promise<Tensor> {
  checkTensor("wave", wave);
  const args = [wave, completeMel(options)];
  return Tensor.fromNative(await call<NativeTensor>("audio.mel_spectrogram", args, options));
}

/**
 * Build the triangular filters of `melSpectrogram`, in float64, rounded once:
 * `[melBins, fftSize / 2 + 1]`.
 * @throws E_ARGUMENT
 */
export async function melFilterBank(options: MelOptions = {}): Promise<Tensor> {
  const args = [completeMel(options)];
  return Tensor.fromNative(await call<NativeTensor>("audio.mel_filter_bank", args, options));
}

/**
 * Where frames lie, and how magnitudes are taken.
 *
 * `"tacotron"` centres frame k at sample k · hop; `"audioldm"` and `"hifigan"` half a hop later;
 * `"hifigan"` adds 1e-9 to the power.
 */
export type MelStyle = "tacotron" | "audioldm" | "hifigan";

const styles = ["tacotron", "audioldm", "hifigan"] as const satisfies readonly MelStyle[];

export interface LogMelOptions extends CallOptions {
  /** Default 16000. */
  readonly sampleRate?: number;
  /** Window and transform length in samples. Default 1024. */
  readonly fftSize?: number;
  /** Default 160. */
  readonly hopSamples?: number;
  /** Default 64. */
  readonly melBins?: number;
  /** Lowest and highest frequency of the filters in hertz. Default 0 and half the sample rate. */
  readonly fMin?: number;
  readonly fMax?: number;
  /** Default `"tacotron"`. */
  readonly padding?: MelStyle;
}

/**
 * Compute the log-mel spectrogram that the VAE takes and the vocoder turns into sound: natural log
 * of magnitudes under Slaney filters, floor 1e-5; `melSpectrogram` of the preset `"musicldm"`,
 * `"audioldm"` or `"hifigan"`, with padding that follows other sizes.
 *
 * `wave [B, T]` in ±1 → `[B, frames, melBins]`.
 * @throws E_ARGUMENT, E_SHAPE for a wave that is shorter than the reflected padding
 */
export async function logMel(wave: Tensor, options: LogMelOptions = {}): Promise<Tensor> {
  const { padding: style = "tacotron", ...rest } = options;
  checkName(styles, "padding", style);
  const preset = style === "tacotron" ? "musicldm" : style;
  const { fftSize = 1024, hopSamples = 160 } = options;
  const margin = style === "tacotron" ? fftSize : fftSize - hopSamples;
  return melSpectrogram(wave, { ...rest, preset, padding: Math.max(0, Math.floor(margin / 2)) });
}
