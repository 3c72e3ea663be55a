import { requireOptions } from "../../runtime/arguments.js";
import { expected } from "../../runtime/errors.js";
import { convertedDtypes, settingParts, targetNames } from "./types.js";
import type { ConvertOptions } from "./types.js";

const choices: Readonly<Record<string, readonly unknown[]>> = {
  to: targetNames,
  dtype: convertedDtypes,
  weights: ["raw", "ema"],
  pipeline: ["musicldm", "audioldm"],
  keep: [true, false],
  force: [true, false],
};

const texts = ["input", "output", "tokenizer"];
const known = [...Object.keys(choices), ...texts, "settings", "signal", "onProgress"];

/** Refuse options that mean nothing. Errors: `E_ARGUMENT`. */
export function checkOptions(options: ConvertOptions): void {
  requireOptions(options);
  const unknown = Object.keys(options).filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw expected("E_ARGUMENT", "known options", "options", unknown.join(", "));
  }
  const given = options as unknown as Readonly<Record<string, unknown>>;
  for (const [name, values] of Object.entries(choices)) {
    const value = given[name];
    if (value === undefined || values.includes(value)) continue;
    throw expected("E_ARGUMENT", values.map(String).join(" or "), name, value);
  }
  for (const name of texts) {
    const value = given[name];
    if (typeof value === "string" && value !== "") continue;
    if (value === undefined && name === "tokenizer") continue;
    throw expected("E_ARGUMENT", "a path", name, value);
  }
  checkSettings(options.settings ?? {});
}

function checkSettings(settings: object): void {
  const parts: readonly string[] = settingParts;
  for (const [name, value] of Object.entries(settings)) {
    if (!parts.includes(name)) {
      throw expected("E_ARGUMENT", settingParts.join(", "), "a part of settings", name);
    }
    if (typeof value === "object" && value !== null && !Array.isArray(value)) continue;
    throw expected("E_ARGUMENT", "an object", `settings.${name}`, value);
  }
}
