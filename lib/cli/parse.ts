import { InvalidArgumentError } from "commander";
import type { DeepCacheSettings } from "../diffusion/deep-cache.js";
import type { GuidanceInterval } from "../musicldm/guided.js";
import type { TimeSpan } from "../musicldm/types.js";

const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** Parse a finite decimal number; nothing may stand around it. */
export function parseNumber(text: string): number {
  const value = decimal.test(text) ? Number(text) : NaN;
  if (Number.isFinite(value)) return value;
  throw new InvalidArgumentError(`Expected a finite number but received ${JSON.stringify(text)}`);
}

/** Parse an integer in 0..2^53 − 1. */
export function parseInteger(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(value)) return value;
  const message = `Expected an integer in 0..2^53 - 1 but received ${JSON.stringify(text)}`;
  throw new InvalidArgumentError(message);
}

/** Parse a positive integer. */
export function parseCount(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(value) && value > 0) return value;
  const message = `Expected an integer of at least 1 but received ${JSON.stringify(text)}`;
  throw new InvalidArgumentError(message);
}

/** Parse `7` or `7,8,9`: the first seed, or one per item. */
export function parseSeed(text: string): number | readonly number[] {
  const seeds = text.split(",").map(parseInteger);
  return seeds.length === 1 ? (seeds[0] ?? 0) : seeds;
}

/** Parse `START:END` in seconds and add it to the spans before it. */
export function collectSpan(text: string, before: readonly TimeSpan[] = []): readonly TimeSpan[] {
  const [startSeconds, endSeconds, ...rest] = text.split(":").map(parseNumber);
  const isSpan = startSeconds !== undefined && endSeconds !== undefined && rest.length === 0;
  if (isSpan && startSeconds >= 0 && endSeconds > startSeconds) {
    return [...before, { startSeconds, endSeconds }];
  }
  const message = `Expected START:END in seconds with 0 <= START < END but received "${text}"`;
  throw new InvalidArgumentError(message);
}

/** Parse `HIGH:LOW`, two noise levels. */
export function parseInterval(text: string): GuidanceInterval {
  const [high, low, ...rest] = text.split(":").map(parseNumber);
  const isInterval = high !== undefined && low !== undefined && rest.length === 0;
  if (isInterval && low >= 0 && high > low) return [high, low];
  const message = `Expected HIGH:LOW with HIGH > LOW >= 0 but received "${text}"`;
  throw new InvalidArgumentError(message);
}

/** Parse `INTERVAL` or `INTERVAL:BRANCH`. */
export function parseDeepCache(text: string): DeepCacheSettings {
  const [interval = "", branch, ...rest] = text.split(":");
  if (rest.length === 0) {
    return {
      interval: parseCount(interval),
      ...(branch !== undefined && { branch: parseInteger(branch) }),
    };
  }
  throw new InvalidArgumentError(`Expected INTERVAL or INTERVAL:BRANCH but received "${text}"`);
}

/** Add a text to those before it. */
export function collectText(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

/** Parse `cpu`, `cuda` or `cuda:N`. */
export function parseDevice(text: string): string {
  if (/^(cpu|cuda(:\d+)?)$/.test(text)) return text;
  const message = `Expected cpu, cuda or cuda:N but received ${JSON.stringify(text)}`;
  throw new InvalidArgumentError(message);
}
