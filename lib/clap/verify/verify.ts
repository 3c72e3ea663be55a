import { openWeights } from "../../checkpoint/index.js";
import type { CallOptions } from "../../runtime/abort.js";
import { ClapFeatureExtractor } from "../feature-extractor.js";
import type { ClapParts } from "../open.js";
import { checkMel } from "./mel.js";
import { digits } from "./report.js";
import type { VerifyCheck, VerifyReport } from "./report.js";
import { looksTrained, measureWeights } from "./statistics.js";
import { checkTowers } from "./towers.js";
import { checkAttention, checkOrder, checkPositions, checkValues } from "./weights.js";

export type { VerifyCheck, VerifyReport } from "./report.js";

/** Run every check on an opened CLAP. Errors: `E_ABORTED`, `E_DISPOSED`. */
export async function verifyParts(
  parts: ClapParts,
  { signal, onProgress }: CallOptions,
): Promise<VerifyReport> {
  const { folder, scales, text } = parts;
  const report = (step: number): void => onProgress?.({ stage: "verify", step, totalSteps: 3 });
  report(0);
  using checkpoint = await openWeights(folder.weights);
  const statistics = await measureWeights(checkpoint, { signal });
  const isTrained = looksTrained(statistics);
  report(1);
  const mel = await checkMel(folder, checkpoint, { signal });
  report(2);
  const towers = await checkTowers(text, probeEncoder(parts), isTrained, { signal });
  report(3);
  const checks = [
    checkValues(statistics),
    ...towers,
    ...mel,
    checkAttention(statistics, isTrained),
    checkOrder(statistics, isTrained),
    await checkPositions(checkpoint, isTrained),
    scaleCheck(scales.audio),
  ];
  return { ok: checks.every(({ ok }) => ok !== false), isTrained, checks };
}

/** The audio encoder with as many channels as the tower takes, whatever the folder says. */
function probeEncoder({ folder, audio }: ClapParts) {
  const tower = folder.config.audio;
  const isFused = "enable_fusion" in tower && tower.enable_fusion;
  const truncation = isFused ? "fusion" : "rand_trunc";
  return audio.withExtractor(new ClapFeatureExtractor({ ...folder.extractor, truncation }));
}

/** Training keeps the logarithm of the scale within 0..ln 100. */
function scaleCheck(scale: number): VerifyCheck {
  return {
    name: "logit scale is within its limits",
    ok: scale >= 0.999 && scale <= 100.1,
    value: digits(scale),
    expected: "1..100",
    hint: "logit_scale_a is the logarithm of the scale; a conversion may have stored the scale",
  };
}
