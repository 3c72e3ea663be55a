import { compilePattern, fillPattern } from "./pattern.js";
import type { Parts } from "./pattern.js";
import type { Change, KeyLayout, KeyRow } from "./table.js";

/** Which side of a layout tensors move to. */
export type Direction = "published" | "original";

/** Tensors that become others. */
export interface Move {
  readonly from: readonly string[];
  readonly to: readonly string[];
  readonly change: Change;
  readonly direction: Direction;
}

/** What becomes of a set of names. */
export interface KeyPlan {
  readonly moves: readonly Move[];
  /** Moves between an original name and the same name under `keptPrefix`. */
  readonly kept: readonly Move[];
  /** Names that the other side leaves out. */
  readonly dropped: readonly string[];
  /** Names that the layout does not have. */
  readonly unknown: readonly string[];
  /** Names without which others cannot move. */
  readonly missing: readonly string[];
  /** Names that two tensors would take. */
  readonly twice: readonly string[];
}

/**
 * Where a published file keeps original tensors that its layout has no place for. transformers
 * and diffusers pass over such names with a warning; modules here leave them alone.
 */
export const keptPrefix = "original.";

/** A row made ready for one direction. */
interface Rule {
  readonly from: readonly string[];
  readonly to: readonly string[];
  readonly patterns: readonly RegExp[];
  readonly change: Change;
}

/** Decide what each name becomes on the other side. */
export function planKeys(
  names: readonly string[],
  layout: KeyLayout,
  direction: Direction,
): KeyPlan {
  const rules = layout.rows.map((row) => ruleOf(row, direction));
  const side = direction === "published" ? publishing : restoring;
  const context = { names: new Set(names), rules, direction };
  const draft: Draft = { moves: [], kept: [], dropped: [], unknown: [], missing: [] };
  for (const name of names) side(name, layout, context, draft);
  if (direction === "original") takeKeptNorms(draft);
  const targets = [...draft.moves, ...draft.kept].flatMap(({ to }) => to);
  const twice = targets.filter((name, i) => targets.indexOf(name) !== i);
  return { ...draft, twice };
}

interface Draft {
  readonly moves: Move[];
  readonly kept: Move[];
  readonly dropped: string[];
  readonly unknown: string[];
  readonly missing: string[];
}

interface Context {
  readonly names: ReadonlySet<string>;
  readonly rules: readonly Rule[];
  readonly direction: Direction;
}

function ruleOf({ original, published, change }: KeyRow, direction: Direction): Rule {
  const [from, to] = direction === "published" ? [original, published] : [published, original];
  return { from, to, change, patterns: from.map(compilePattern) };
}

function publishing(name: string, layout: KeyLayout, context: Context, draft: Draft): void {
  if (matchesAny(layout.extra, name)) draft.kept.push(keep(name));
  else place(name, context, draft);
}

function restoring(name: string, layout: KeyLayout, context: Context, draft: Draft): void {
  if (name.startsWith(keptPrefix)) {
    const to = name.slice(keptPrefix.length);
    draft.kept.push({ from: [name], to: [to], change: "same", direction: "original" });
  } else if (matchesAny(layout.derived, name)) draft.dropped.push(name);
  else place(name, context, draft);
}

/** A weight that was folded goes back together with the magnitude and direction kept beside it. */
function takeKeptNorms({ moves, kept }: Draft): void {
  moves.forEach((move, at) => {
    if (move.change !== "fold") return;
    const beside = kept.filter(({ to }) => move.to.includes(to[0] ?? ""));
    if (beside.length < move.to.length) return;
    const from = [...move.from, ...move.to.map((name) => keptPrefix + name)];
    moves[at] = { ...move, from };
    for (const each of beside) kept.splice(kept.indexOf(each), 1);
  });
}

function keep(name: string): Move {
  return { from: [name], to: [keptPrefix + name], change: "same", direction: "published" };
}

function matchesAny(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => compilePattern(pattern).test(name));
}

/** Find the row of a name; a row of several names moves with its first. */
function place(name: string, { names, rules, direction }: Context, draft: Draft): void {
  const found = findRule(rules, name);
  if (found === null) {
    draft.unknown.push(name);
    return;
  }
  const { rule, index, parts } = found;
  const from = rule.from.map((pattern) => fillPattern(pattern, parts));
  const missing = from.filter((other) => !names.has(other));
  draft.missing.push(...missing.filter((other) => !draft.missing.includes(other)));
  if (index > 0 || missing.length > 0) return;
  const to = rule.to.map((pattern) => fillPattern(pattern, parts));
  draft.moves.push({ from, to, change: rule.change, direction });
  if (rule.change === "fold" && direction === "published") draft.kept.push(...from.map(keep));
}

function findRule(
  rules: readonly Rule[],
  name: string,
): { readonly rule: Rule; readonly index: number; readonly parts: Parts } | null {
  for (const rule of rules) {
    for (const [index, pattern] of rule.patterns.entries()) {
      const match = pattern.exec(name);
      if (match) return { rule, index, parts: match.groups ?? {} };
    }
  }
  return null;
}
