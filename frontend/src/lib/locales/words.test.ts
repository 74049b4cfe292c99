import { expect, test } from "vitest";
import en from "@/lib/locales/en";
import ko from "@/lib/locales/ko";

const sources: Record<string, string> = import.meta.glob(["/src/**/*.{ts,tsx}", "!/src/lib/locales/**", "!/src/**/*.test.*"], {
  query: "?raw",
  import: "default",
  eager: true,
});
const text = Object.values(sources).join("\n");

/** Every word by its whole key. */
function flat(words: object, prefix = ""): [string, string][] {
  return Object.entries(words).flatMap(([name, value]: [string, unknown]): [string, string][] =>
    typeof value === "object" && value !== null ? flat(value, `${prefix}${name}.`) : [[prefix + name, String(value)]],
  );
}

/** What is filled in later, by key; not `detail`, which is a sentence of the service's, in English. */
function placesOf(words: object): Record<string, string> {
  return Object.fromEntries(flat(words).map(([key, word]) => [key, (word.match(/\{\{(?!detail)\w+\}\}/g) ?? []).sort().join(" ")]));
}

/** Spelled out, or made out of its beginning (`t(`settings.sections.${section}`)`). */
function isUsed(key: string): boolean {
  const spelled = key.replace(/_(?:one|other)$/, "");
  if (text.includes(`"${spelled}"`)) return true;
  const dots = [...key.matchAll(/\./g)].map(({ index }) => index + 1);
  return dots.some((end) => text.includes(`\`${key.slice(0, end)}\${`));
}

test("both languages have the same words, and fill in the same places", () => {
  expect(placesOf(ko)).toEqual(placesOf(en));
});

test("every word is used", () => {
  expect(flat(en).flatMap(([key]) => (isUsed(key) ? [] : [key]))).toEqual([]);
});

test("no Korean particle is glued to what is filled in, since the right one depends on it", () => {
  expect(flat(ko).filter(([, word]) => /\}\}(?:은|는|이|가|을|를|과|와|으로|로)(?![가-힣])/.test(word))).toEqual([]);
});
