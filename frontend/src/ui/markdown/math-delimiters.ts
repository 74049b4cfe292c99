const CODE_OR_MATH = /(`+)[^`](?:[\s\S]*?[^`])?\1(?!`)|\\\(([\s\S]+?)\\\)|\\\[([\s\S]+?)\\\]|\$\$[\s\S]*?(?:\$\$|$)|\\\$|\$/g;

/** Whether a text may hold maths, so that what draws it is worth loading. */
export function mayHoldMath(text: string): boolean {
  return /\$\$|\\\[|\\\(|\$[^\s$][^$\n]*\$/.test(text);
}

/**
 * Write maths in the one way that the parser knows: `\(…\)` becomes `$…$`, `\[…\]` becomes `$$…$$`, and a dollar that is money
 * is escaped. As in Pandoc, `$…$` is maths only if no space is inside its ends and no digit follows. Code stays as it is.
 * `$$` that begins a line and is not closed on it gets that line for itself: the parser would drop what stands behind it.
 */
export function normalizeMath(text: string): string {
  if (!/[$\\]/.test(text)) return text;
  let end = 0; // of the inline maths that was found last
  return text.replace(CODE_OR_MATH, (found, _ticks: string, inline?: string, display?: string, at?: number) => {
    const place = at ?? 0;
    if (place < end) return found;
    if (inline !== undefined) return `$${inline.trim()}$`;
    if (display !== undefined) return `\n$$\n${display.trim()}\n$$\n`;
    if (found.startsWith("$$")) return /(?:^|\n) {0,3}$/.test(text.slice(0, place)) ? fenced(found) : found;
    if (found !== "$") return found;
    const math = /^\$(?![\s$])(?:\\.|[^$\\\n])*?[^\s\\$]\$(?!\d)/.exec(text.slice(place, place + 500));
    if (!math) return "\\$";
    end = place + math[0].length;
    return found;
  });
}

function fenced(found: string): string {
  const isClosed = found.length > 2 && found.endsWith("$$");
  const body = isClosed ? found.slice(2, -2) : found.slice(2);
  if (body.trim() === "" || (isClosed && !body.includes("\n"))) return found;
  if (/^[ \t]*\n/.test(body) && (!isClosed || /\n[ \t]*$/.test(body))) return found;
  return isClosed ? `$$\n${body.trim()}\n$$\n` : `$$\n${body.trimStart()}`;
}
