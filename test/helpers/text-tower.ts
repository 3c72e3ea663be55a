import { parseClapText } from "../../lib/checkpoint/config/clap-text.js";
import type { ClapTextConfig, RobertaTextConfig } from "../../lib/checkpoint/config/clap-text.js";
import { TextTower } from "../../lib/clap/text-tower.js";
import type { Golden } from "./golden.js";

/** Goldens of the text networks beside RoBERTa. */
export const textGoldens = [
  "clap-text-bert",
  "clap-text-bart",
  "clap-text-bart-scaled",
  "clap-text-clip",
  "clap-text-clip-quick",
] as const;

/** The configuration of a text tower that is known to be a RoBERTa. */
export function asRoberta(config: ClapTextConfig): RobertaTextConfig {
  if (config.model_type === "clap_text_model") return config;
  throw new Error(`Expected clap_text_model but received ${config.model_type}`);
}

/** Build the tower of a golden, with settings of its configuration changed. */
export async function buildTextTower(golden: Golden, changes: object = {}): Promise<TextTower> {
  const { config } = parseClapText({ ...(golden.config as object), ...changes }, "golden");
  const tower = await TextTower.create(config);
  await tower.load(golden.under("weight."));
  return tower;
}
