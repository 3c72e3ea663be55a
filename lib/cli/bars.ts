const width = 30;

/** A horizontal bar for a part of 0..1, as long as `width` characters for 1. */
export function bar(part: number): string {
  const eighths = Math.round(8 * width * Math.min(1, Math.max(0, part)));
  const rest = eighths % 8;
  const blocks = "█".repeat(Math.floor(eighths / 8));
  return blocks + (rest > 0 ? String.fromCodePoint(0x2590 - rest) : "");
}

/** Pad a text to `columns`, shortening what is longer; without control characters. */
export function column(text: string, columns: number): string {
  const letters = [...text.replace(/\p{Cc}/gu, " ")];
  if (letters.length > columns) return `${letters.slice(0, columns - 1).join("")}…`;
  return letters.join("") + " ".repeat(columns - letters.length);
}
