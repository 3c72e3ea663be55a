/** Lay out rows as a Markdown table; the first row is the header. */
export function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, c) => Math.max(...rows.map((row) => row[c]?.length ?? 0)));
  const lines = rows.map(
    (row) => `| ${row.map((cell, c) => cell.padEnd(widths[c] ?? 0)).join(" | ")} |`,
  );
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [...lines.slice(0, 1), rule, ...lines.slice(1)];
}

export function printTable(title: string, rows: readonly (readonly string[])[]): void {
  console.log(`\n${title}\n`);
  for (const line of table(rows)) console.log(line);
}
