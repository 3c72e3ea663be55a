/** Generate a seamless loop, unless it takes too long: `tsx examples/cancel.ts MODEL_DIR`. */
import { MusicLDM, MusicLDMError } from "musicldm-native";

const folder = process.argv[2] ?? "model";
using model = await MusicLDM.fromPretrained(folder);
try {
  const { waveforms } = await model.generate({
    prompt: "techno, 120 bpm",
    seconds: 8,
    loop: true,
    signal: AbortSignal.timeout(60_000),
  });
  console.log(`${waveforms[0]?.length} samples, whose end joins their start`);
} catch (error) {
  if (!(error instanceof MusicLDMError && error.code === "E_ABORTED")) throw error;
  console.log("It took more than a minute.");
}
