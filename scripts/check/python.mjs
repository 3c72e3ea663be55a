// Finds the functions of a Python file, for the size limits.

const definition = /^(\s*)(?:async\s+)?def\s+(\w+)\s*\(/;

/** Text between the parenthesis that opens at `start` and its partner. */
function argumentText(source, start) {
  let depth = 0;
  for (let i = start; i < source.length; i++) {
    if ("([{".includes(source[i])) depth += 1;
    if (")]}".includes(source[i]) && --depth === 0) return source.slice(start + 1, i);
  }
  return source.slice(start + 1);
}

function countParameters(text) {
  let depth = 0;
  let current = "";
  const names = [];
  for (const character of `${text.replace(/#[^\n]*/g, "")},`) {
    if ("([{".includes(character)) depth += 1;
    if (")]}".includes(character)) depth -= 1;
    if (character !== "," || depth > 0) current += character;
    else {
      names.push(current.trim());
      current = "";
    }
  }
  return names.filter((name) => !["", "self", "cls", "*", "/"].includes(name)).length;
}

function lastLine(lines, first, indent) {
  let last = first;
  for (let i = first + 1; i < lines.length; i++) {
    if (lines[i].trim() === "" || /^\s*\)/.test(lines[i])) continue;
    if (lines[i].search(/\S/) <= indent) break;
    last = i;
  }
  return last;
}

/** Find the functions of a file: `{ name, line, lines, parameters }`. */
export function functions(source) {
  const lines = source.split("\n");
  let offset = 0;
  return lines.flatMap((line, i) => {
    const match = definition.exec(line);
    const begin = offset;
    offset += line.length + 1;
    if (match === null) return [];
    const parameters = countParameters(argumentText(source, begin + match[0].length - 1));
    const lineCount = lastLine(lines, i, match[1].length) - i + 1;
    return [{ name: match[2], line: i + 1, lines: lineCount, parameters }];
  });
}
