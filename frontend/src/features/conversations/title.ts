const SHORT_CHARS = 40; // about a line of a message at the bottom

/** A title within a sentence: cut, and isolated, so that one from right to left does not turn the sentence around. */
export function quoted(title: string): string {
  const characters = Array.from(title);
  const short = characters.length > SHORT_CHARS ? `${characters.slice(0, SHORT_CHARS).join("").trimEnd()}…` : title;
  return `\u2068${short}\u2069`;
}
