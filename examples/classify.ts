/** Say what a file sounds like: `tsx examples/classify.ts CLAP_DIR FILE [LABEL...]`. */
import { Clap } from "musicldm-native";

const [folder = "clap", file = "sound.wav", ...given] = process.argv.slice(2);
const labels = given.length > 0 ? given : ["speech", "music", "rain", "a dog", "an engine"];
using clap = await Clap.fromPretrained(folder);
const ranked = await clap.classify(file, labels, {
  template: ["This is a sound of {label}.", "the sound of {label}"],
});
for (const { label, probability } of ranked) {
  console.log(`${(100 * probability).toFixed(1).padStart(5)}% ${label}`);
}

// Where in the file the best label fits best, to the second.
const best = ranked[0]!.label;
const [timeline] = await clap.embedAudio([file], { pool: "timeline", hopSeconds: 1 });
const texts = await clap.embedLabels([best]);
const rows = timeline!.map(({ embedding }) => embedding);
const scores = (await clap.similarity(rows, texts)).map(([score]) => score!);
const top = timeline![scores.indexOf(Math.max(...scores))]!;
console.log(`most like "${best}" from ${top.startSeconds} s to ${top.endSeconds} s`);
