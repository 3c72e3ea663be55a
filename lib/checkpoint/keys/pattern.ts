/** What the parts of a pattern matched, by their names. */
export type Parts = Readonly<Record<string, string>>;

/** What a part stands for; every other name stands for a number. */
const kinds: Readonly<Record<string, string>> = { leaf: "weight|bias", rest: ".+" };

const part = /\{(\w+)\}/g;

/**
 * Compile a pattern of tensor names: `layers.{i}.norm1.{leaf}` matches `layers.3.norm1.bias`.
 * `{leaf}` stands for `weight` or `bias`, `{rest}` for anything, any other part for a number.
 */
export function compilePattern(pattern: string): RegExp {
  const literal = (text: string): string => text.replace(/[.*+?^$()|[\]\\]/g, "\\$&");
  const pieces = pattern.split(part);
  // Every second piece is the name of a part.
  const source = pieces.map((piece, i) =>
    i % 2 === 0 ? literal(piece) : `(?<${piece}>${kinds[piece] ?? "\\d+"})`,
  );
  return new RegExp(`^${source.join("")}$`);
}

/** Put what one pattern matched into another. */
export function fillPattern(pattern: string, parts: Parts): string {
  return pattern.replace(part, (_, name: string) => parts[name] ?? "");
}
