/**
 * Generate the second half of a clip anew, then continue it: `tsx examples/edit.ts MODEL_DIR FILE`.
 */
import { downmix, MusicLDM, readAudio, writeAudio } from "musicldm-native";

const [folder = "model", file = "music.flac"] = process.argv.slice(2);
const clip = await readAudio(file);
const audio = { samples: downmix(clip), sampleRate: clip.sampleRate };
const seconds = audio.samples.length / audio.sampleRate;

using model = await MusicLDM.fromPretrained(folder);
const prompt = "an energetic drum solo";
const mask = [{ startSeconds: seconds / 2, endSeconds: seconds }];
const inpainted = await model.edit({ audio, prompt, mask, seed: 1 });
const continued = await model.edit({ audio, prompt, seconds: 2 * seconds, seed: 2 });
const { sampleRate } = model;
await writeAudio("inpainted.wav", { channels: inpainted.waveforms.slice(0, 1), sampleRate });
await writeAudio("continued.wav", { channels: continued.waveforms.slice(0, 1), sampleRate });
