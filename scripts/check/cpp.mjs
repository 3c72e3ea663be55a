// A small reader of C++ that finds functions, for the size limits.

const comment = /\/\/[^\n]*|\/\*[\s\S]*?\*\//;
const literal = /R"(\w*)\([\s\S]*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<!\w)'(?:\\.|[^'\\\n])+'/;
const directive = /^[ \t]*#(?:\\\n|[^\n])*/;
const skipped = new RegExp(
  [comment, literal, directive].map(({ source }) => source).join("|"),
  "gm",
);

/** Replace comments, literals and preprocessor lines by blanks; line numbers stay. */
export function blank(source) {
  return source.replace(skipped, (text) => {
    const filler = text.startsWith("/") || text.trimStart().startsWith("#") ? " " : "x";
    return text.replace(/[^\n]/g, filler);
  });
}

function tokenize(source) {
  const tokens = [];
  let line = 1;
  for (const [text] of blank(source).matchAll(/\n|\w+|::|->|[^\s\w]/g)) {
    if (text === "\n") line += 1;
    else tokens.push({ text, line });
  }
  return tokens;
}

function matching(tokens, start) {
  const [open, close] = tokens[start].text === "(" ? ["(", ")"] : ["{", "}"];
  let depth = 0;
  for (let i = start; i < tokens.length; i++) {
    if (tokens[i].text === open) depth += 1;
    if (tokens[i].text === close && --depth === 0) return i;
  }
  return tokens.length - 1;
}

/** Count the parameters between the parenthesis at `start` and its partner. */
function countParameters(tokens, start) {
  const end = matching(tokens, start);
  let depth = 0;
  let commas = 0;
  for (let i = start; i < end; i++) {
    const { text } = tokens[i];
    if ("([{<".includes(text)) depth += 1;
    if (")]}>".includes(text)) depth -= 1;
    if (text === "," && depth === 1) commas += 1;
  }
  const isEmpty = end === start + 1 || (end === start + 2 && tokens[start + 1].text === "void");
  return isEmpty ? 0 : commas + 1;
}

const scopeWords = new Set(["namespace", "class", "struct", "union", "enum", "extern"]);

/** Index of the parameter list in a declaration's head, or -1 when it declares no function. */
function parameterList(tokens, begin, end) {
  let angle = 0;
  for (let i = begin; i < end; i++) {
    const { text } = tokens[i];
    if (text === "<") angle += 1;
    if (text === ">") angle -= 1;
    if (angle > 0) continue;
    if (text === "=" && tokens[i - 1]?.text !== "operator") return -1;
    if (text !== "(") continue;
    if (tokens[i - 1]?.text === "operator") i = matching(tokens, i);
    else return ["decltype", "alignas", "__attribute__"].includes(tokens[i - 1]?.text) ? -1 : i;
  }
  return -1;
}

function isInitializer(tokens, brace, list) {
  if (list < 0) return false;
  const tail = tokens.slice(matching(tokens, list) + 1, brace).map(({ text }) => text);
  const before = tokens[brace - 1].text;
  return tail.includes(":") && (/^\w+$/.test(before) || before === ">");
}

/** Find the functions and lambdas of a file: `{ name, line, lines, parameters }`. */
export function functions(source) {
  const tokens = tokenize(source);
  const found = lambdas(tokens);
  let begin = 0;
  for (let i = 0; i < tokens.length; i++) {
    const { text } = tokens[i];
    if (text === ";" || text === "}") begin = i + 1;
    if (text === "(") i = matching(tokens, i);
    if (text !== "{") continue;
    const list = parameterList(tokens, begin, i);
    if (isInitializer(tokens, i, list)) {
      i = matching(tokens, i);
      continue;
    }
    const isScope = list < 0 && tokens.slice(begin, i).some((token) => scopeWords.has(token.text));
    if (!isScope) {
      const end = matching(tokens, i);
      if (list >= 0) found.push(describe(tokens, { begin, list, end }));
      i = end;
    }
    begin = i + 1;
  }
  return found;
}

function describe(tokens, { begin, list, end }) {
  return {
    name: tokens[list - 1]?.text ?? "?",
    line: tokens[begin].line,
    lines: tokens[end].line - tokens[begin].line + 1,
    parameters: countParameters(tokens, list),
  };
}

function lambdas(tokens) {
  const found = [];
  for (let i = 1; i < tokens.length; i++) {
    if (tokens[i].text !== "(" || tokens[i - 1].text !== "]") continue;
    const after = matching(tokens, i) + 1;
    if (!["{", "->", "mutable", "noexcept"].includes(tokens[after]?.text)) continue;
    const brace = tokens.findIndex((token, index) => index >= after && token.text === "{");
    if (brace < 0) continue;
    const lines = tokens[matching(tokens, brace)].line - tokens[i].line + 1;
    const parameters = countParameters(tokens, i);
    found.push({ name: "lambda", line: tokens[i].line, lines, parameters });
  }
  return found;
}
