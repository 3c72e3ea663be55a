import type { ExecutionContext } from "ava";
import { parseClapAudio } from "../../lib/checkpoint/config/clap-audio.js";
import type { AudioTowerOutput } from "../../lib/clap/audio-tower.js";
import { AudioTower } from "../../lib/clap/audio-tower.js";
import type { Golden } from "./golden.js";
import { assertClose } from "./golden.js";
import type { AudioCase } from "./seeded.js";
import { caseNames, seededCase, seededWeights } from "./seeded.js";

/** Build the tower of a golden, with its weights; `changes` go on top of its configuration. */
export async function buildTower(golden: Golden, changes: object = {}): Promise<AudioTower> {
  const json = { ...(golden.config as object), ...changes };
  const tower = await AudioTower.create(parseClapAudio(json, "golden").config);
  using weights = await seededWeights(golden);
  await tower.load(weights.tensors);
  return tower;
}

/** Run a case of a golden. */
export async function runCase(
  tower: AudioTower,
  { features, isLonger }: AudioCase,
): Promise<AudioTowerOutput> {
  return tower.forward(features, isLonger);
}

/** Assert that a tower answers each case of its golden as the reference did. */
export async function assertCases(
  t: ExecutionContext,
  [tower, golden]: readonly [AudioTower, Golden],
  limit: number,
): Promise<void> {
  for (const name of caseNames(golden)) {
    using item = await seededCase(golden, name);
    using output = await runCase(tower, item);
    const wanted = golden.under("output.");
    const pairs = {
      last_hidden_state: output.lastHiddenState,
      pooler_output: output.poolerOutput,
      audio_embeds: output.audioEmbeds,
    };
    for (const [part, tensor] of Object.entries(pairs)) {
      const reference = wanted[`${part}.${name}`];
      if (reference) await assertClose(t, [tensor, reference], limit, `${name} ${part}`);
    }
  }
}
