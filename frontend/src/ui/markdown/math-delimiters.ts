const CODE_OR_MATH = /(`+)[^`](?:[\s\S]*?[^`])?\1(?!`)|\\\(([\s\S]+?)\\\)|\\\[([\s\S]+?)\\\]|\$\$[\s\S]*?(?:\$\$|$)|\\\$|\$/g;

/** Whether a text may hold maths, so that what draws it is worth loading. */
export function mayHoldMath(text: string): boolean {
  return /\$\$|\\\[|\\\(|\$[^\s$][^$\n]*\$/.test(text);
}

/**
 * Write maths in the one way that the parser knows: `\(…\)` becomes `$…$`, `\[…\]` becomes `$$…$$`, and a dollar that is money
 * is escaped. As in Pandoc, `$…$` is maths only if no space is inside its ends and no digit follows. Code stays as it is.
 */
export function normalizeMath(text: string): string {
  if (!/[$\\]/.test(text)) return text;
  let end = 0; // of the inline maths that was found last
  return text.replace(CODE_OR_MATH, (found, _ticks: string, inline?: string, display?: string, at?: number) => {
    const place = at ?? 0;
    if (place < end) return found;
    if (inline !== undefined) return `$${inline.trim()}$`;
    if (display !== undefined) return `\n$$\n${display.trim()}\n$$\n`;
    if (found !== "$") return found;
    const math = /^\$(?![\s$])(?:\\.|[^$\\\n])*?[^\s\\$]\$(?!\d)/.exec(text.slice(place, place + 500));
    if (!math) return "\\$";
    end = place + math[0].length;
    return found;
  });
}
