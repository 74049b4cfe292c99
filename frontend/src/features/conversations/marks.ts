/** A piece of text, and whether it is what was looked for. */
export interface Piece {
  text: string;
  hit: boolean;
}

// A word of these scripts is found by any part, others by how they begin; the service searches in the same way.
const DENSE = String.raw`\p{Script=Hangul}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}`;
const NOT_INSIDE_A_WORD = String.raw`(?<!(?![${DENSE}])[\p{L}\p{N}])`;
const BEGINS_DENSE = new RegExp(`^[${DENSE}]`, "u");

/** Cut `text` where words of `query` are in it, whatever their case and accents. The pieces together are `text`. */
export function marked(text: string, query: string): Piece[] {
  const words = query.split(/\s+/u).map(edgeless).filter(Boolean);
  if (words.length === 0) return [{ text, hit: false }];
  const characters = charactersOf(text);
  const folded = characters.map(fold);
  const origins = folded.flatMap((one, place) => Array.from({ length: one.length }, () => place));
  const pieces: Piece[] = [];
  let end = 0;
  for (const { 0: found, index } of folded.join("").matchAll(patternOf(words))) {
    const first = origins[index] ?? 0;
    const last = (origins[index + found.length - 1] ?? first) + 1;
    if (first < end) continue; // one character may fold to several
    pieces.push({ text: characters.slice(end, first).join(""), hit: false });
    pieces.push({ text: characters.slice(first, last).join(""), hit: true });
    end = last;
  }
  pieces.push({ text: characters.slice(end).join(""), hit: false });
  return pieces.filter((piece) => piece.text !== "");
}

function patternOf(words: readonly string[]): RegExp {
  const longestFirst = words.toSorted((one, other) => other.length - one.length);
  const patterns = longestFirst.map((word) => {
    const literal = word.replace(/[$()*+./?[\\\]^{|}-]/gu, String.raw`\$&`);
    return BEGINS_DENSE.test(word) ? literal : `${NOT_INSIDE_A_WORD}${literal}`;
  });
  return new RegExp(patterns.join("|"), "gu");
}

/** Code points, each with the accents and signs that are written on it, so that no mark ends between them. */
function charactersOf(text: string): string[] {
  return text.match(/\P{M}?\p{M}*/gsu)?.filter(Boolean) ?? [];
}

function fold(text: string): string {
  // Composed again, since a Korean syllable taken apart would be found inside another one.
  return text.normalize("NFKD").replaceAll(/\p{M}/gu, "").normalize("NFC").toLowerCase();
}

function edgeless(word: string): string {
  return fold(word).replaceAll(/^[^\p{L}\p{N}\p{So}]+|[^\p{L}\p{N}\p{So}]+$/gu, "");
}
