/** Generate one clip and write it as a FLAC file: `tsx examples/generate.ts MODEL_DIR`. */
import { MusicLDM, writeAudio } from "musicldm-native";

const folder = process.argv[2] ?? "model";
using model = await MusicLDM.fromPretrained(folder);
const { waveforms, sampleRate, seeds, warnings } = await model.generate({
  prompt: "a calm piano melody with soft strings",
  negativePrompt: "low quality",
  seconds: 5,
  onProgress: ({ stage, step, totalSteps }) => {
    console.error(`${stage} ${step}/${totalSteps}`);
  },
});
for (const warning of warnings) console.error(warning);
await writeAudio("music.flac", { channels: waveforms.slice(0, 1), sampleRate });
console.error(`Wrote music.flac with seed ${seeds[0]}`);
