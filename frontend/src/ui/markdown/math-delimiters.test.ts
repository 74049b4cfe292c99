import { describe, expect, it } from "vitest";
import { mayHoldMath, normalizeMath } from "@/ui/markdown/math-delimiters";

describe("maths is written in one way", () => {
  it.each([
    ["$x^2$ and $$y$$", "$x^2$ and $$y$$"],
    ["it costs $5 and then $10", "it costs \\$5 and then \\$10"],
    ["$5, $x$ and US$7", "\\$5, $x$ and US\\$7"],
    ["\\(a+b\\)", "$a+b$"],
    ["so \\[ a \\] there", "so \n$$\na\n$$\n there"],
    ["`$HOME` and ``\\(a\\)``", "`$HOME` and ``\\(a\\)``"],
    ["a $ b $ c", "a \\$ b \\$ c"],
    ["already \\$5", "already \\$5"],
    ["값은 $\\alpha$입니다", "값은 $\\alpha$입니다"],
    ["no dollars", "no dollars"],
    ["so\n$$ a\n+ b $$\nthere", "so\n$$\na\n+ b\n$$\n\nthere"],
    ["$$\na\n$$", "$$\na\n$$"],
    ["$$\na $$", "$$\na\n$$\n"],
    ["$$ x^{", "$$\nx^{"],
    ["$$", "$$"],
    ["costs $$ a lot\nindeed", "costs $$ a lot\nindeed"],
  ])("%s", (text, normalized) => {
    expect(normalizeMath(text)).toBe(normalized);
  });

  it("is looked for before anything is loaded", () => {
    expect(mayHoldMath("$5 or so")).toBe(false);
    expect(mayHoldMath("$x$")).toBe(true);
    expect(mayHoldMath("\\[x\\]")).toBe(true);
  });
});
