import { decodeHTML, decodeHTMLStrict } from "entities";

const ligatures: Readonly<Record<string, string>> = {
  Ĳ: "IJ",
  ĳ: "ij",
  ŉ: "ʼn",
  Ǳ: "DZ",
  ǲ: "Dz",
  ǳ: "dz",
  Ǆ: "DŽ",
  ǅ: "Dž",
  ǆ: "dž",
  Ǉ: "LJ",
  ǈ: "Lj",
  ǉ: "lj",
  Ǌ: "NJ",
  ǋ: "Nj",
  ǌ: "nj",
  ﬀ: "ff",
  ﬁ: "fi",
  ﬂ: "fl",
  ﬃ: "ffi",
  ﬄ: "ffl",
  ﬅ: "ſt",
  ﬆ: "st",
};
const anyLigature = new RegExp(`[${Object.keys(ligatures).join("")}]`, "g");

const escape = String.fromCharCode(27);
const terminalEscapes = new RegExp(`${escape}\\[[\\d;]*[a-zA-Z]`, "g");
/** Control characters other than white space and those that may be Windows-1252. */
const unwantedControls = /(?![\t\n\f\r\u0080-\u009f])\p{Cc}|[\u206a-\u206f\ufeff\ufff9-\ufffc]/gu;

/** What Windows-1252 has for the bytes 0x80..0x9f; five are unassigned. */
const windows1252 = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ";
const bytesOf1252 = new Map(Array.from(windows1252, (character, i) => [character, 0x80 + i]));
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Clean a text as CLIP's tokenizer does: repair it, unescape HTML twice, make every run of white
 * space one space, and lower the case. Source: `clap_module/tokenizer.py` of LAION-AI/CLAP.
 */
export function cleanClipText(text: string): string {
  const plain = decodeHTML(decodeHTML(fixText(text)));
  return plain
    .replace(/\p{White_Space}+/gu, " ")
    .trim()
    .toLowerCase();
}

/**
 * Repair a text as `ftfy.fix_text` 6 does, line by line. Of the mixed-up encodings, UTF-8 that was
 * read as Latin-1 or Windows-1252 is repaired, where that explains the whole line.
 */
export function fixText(text: string): string {
  let isMarkup = false;
  const lines = text.split(/(?<=\n)/).map((line) => {
    isMarkup ||= line.includes("<");
    return fixLine(line, isMarkup);
  });
  return lines.join("");
}

function fixLine(line: string, isMarkup: boolean): string {
  for (let text = line; ;) {
    const before = text;
    if (!isMarkup) text = text.replace(/&#?[0-9A-Za-z]{1,24};/g, unescapeEntity);
    text = fixCharacters(fixEncoding(text));
    if (text === before) return text;
  }
}

/** Entities with their semicolon, and those that somebody has put in capitals. */
function unescapeEntity(entity: string): string {
  const character = decodeHTMLStrict(entity);
  if (character !== entity || !/^&[A-Z0-9]+;$/.test(entity)) return character;
  const lower = decodeHTMLStrict(entity.toLowerCase());
  return lower === entity.toLowerCase() ? entity : lower.toUpperCase();
}

function fixEncoding(text: string): string {
  if (!/[\u0080-\u{10ffff}]/u.test(text)) return text;
  const codes = Array.from(text, (character) => character.codePointAt(0) ?? 0);
  const plain = codes.every((code) => code <= 0xff);
  const bytes = plain
    ? codes
    : Array.from(text, (character, i) => bytesOf1252.get(character) ?? codes[i] ?? 0);
  if (bytes.some((byte) => byte > 0xff)) return text;
  try {
    return strictUtf8.decode(Uint8Array.from(bytes));
  } catch {
    return text;
  }
}

function fixCharacters(text: string): string {
  return text
    .replace(/[\u0080-\u009f]/g, (control) => windows1252.charAt(control.charCodeAt(0) - 0x80))
    .replace(anyLigature, (ligature) => ligatures[ligature] ?? ligature)
    .replace(/[\u3000\uff01-\uffef]/g, (wide) => wide.normalize("NFKC"))
    .replace(/[\u201c-\u201f]/g, '"')
    .replace(/[\u02bc\u2018-\u201b]/g, "'")
    .replace(/\r\n|[\r\u2028\u2029\u0085]/g, "\n")
    .replace(/\p{Surrogate}/gu, "\ufffd")
    .replace(terminalEscapes, "")
    .replace(unwantedControls, "")
    .normalize("NFC");
}
