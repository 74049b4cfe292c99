/** Of one text: what comes after so much is shown as it is. A thousand screens of Markdown are more than a page can draw smoothly. */
export const MAX_MARKDOWN_CHARS = 200_000;

const MAX_PROSE_CHARS = 8_000; // of a single paragraph, list or table: about 60 ms of parsing on a slow machine
const MAX_EMPHASIS_MARKS = 1_000; // their pairing is quadratic
const MAX_NESTING = 16; // quotes and lists in one another; parsers recurse
const MAX_DEFINITIONS = 100;

const DEEP_MARGIN = new RegExp(`^(?:[ \\t]*(?:>|[-*+][ \\t]|\\d{1,9}[.)][ \\t])){${MAX_NESTING + 1}}`, "m");
const DEEP_INDENT = new RegExp(`^[ \\t]{${MAX_NESTING * 4}}`, "m");

/** Whether parsing this paragraph, list, quote or table would hold the page up: size, or nesting made to hurt. */
export function isTooMuch(prose: string): boolean {
  return (
    prose.length > MAX_PROSE_CHARS ||
    DEEP_MARGIN.test(prose) ||
    DEEP_INDENT.test(prose) ||
    countOf(prose, /[*_~]/g) > MAX_EMPHASIS_MARKS ||
    countOf(prose, /^ {0,3}\[[^\]]*\]:/gm) > MAX_DEFINITIONS
  );
}

function countOf(text: string, pattern: RegExp): number {
  let count = 0;
  for (const _ of text.matchAll(pattern)) count += 1;
  return count;
}
