/**
 * Parse JSON as Python writes it: infinities become JavaScript's, NaN becomes null.
 *
 * @throws SyntaxError
 */
export function parsePythonJson(text: string): unknown {
  if (!/Infinity|NaN/.test(text)) return JSON.parse(text) as unknown;
  const plain = text.replace(/"(?:[^"\\]|\\.)*"|-?Infinity\b|\bNaN\b/g, (token) => {
    if (token.startsWith('"')) return token;
    return token === "NaN" ? "null" : `${token.startsWith("-") ? "-" : ""}1e999`;
  });
  return JSON.parse(plain) as unknown;
}
