/** Of a message, in code points; the service's own limit (`MAX_MESSAGE_CHARS`). */
export const MAX_MESSAGE_CHARS = 32_000;

/** Of a text that is put into the box at once: a text box with more makes every key stroke slow. */
export const MAX_PASTE_CHARS = 100_000;

/** How many characters a person would count, as the service does. */
export function lengthOf(text: string): number {
  let count = text.length;
  for (let at = 0; at < text.length - 1; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit >= 0xd800 && unit < 0xdc00 && isLow(text.charCodeAt(at + 1))) count -= 1;
  }
  return count;
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}
