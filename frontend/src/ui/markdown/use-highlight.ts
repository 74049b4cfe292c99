import { useEffect, useRef, useState } from "react";
import { later } from "@/ui/markdown/later";

const highlighters = later(async () => (await import("@/ui/markdown/highlighter")).highlighter);

const MAX_CHARS = 30_000; // about 100 ms of colouring
const MAX_OPEN_CHARS = 8_000; // while it grows, only as much as is coloured within a frame or two
const PAUSE_MS = 200; // between colourings of a block that grows

export interface Token {
  content: string;
  light: string | undefined;
  dark: string | undefined;
}

/** The lines of a block of code, coloured as far as that is done. */
export type Colours = readonly (readonly Token[])[];

/** The colours of `text`; none for a language nobody knows, or for more than can be coloured smoothly. */
export function useHighlight(text: string, language: string, open: boolean): Colours {
  const highlighter = highlighters.use(language !== "");
  const [colours, setColours] = useState<Colours>([]);
  const last = useRef(0);
  const wanted = text.length <= (open ? MAX_OPEN_CHARS : MAX_CHARS);
  useEffect(() => {
    if (!highlighter?.supportsLanguage(language as never) || !wanted) return undefined;
    let gone = false;
    const show = ({ tokens }: { tokens: readonly (readonly RawToken[])[] }): void => {
      if (!gone) setColours(tokens.map(tokensOf));
    };
    const colour = (): void => {
      last.current = performance.now();
      const known = highlighter.highlight(
        { code: text, language: language as never, themes: highlighter.getThemes(), isIncomplete: open },
        show,
      );
      if (known) show(known);
    };
    const handle = setTimeout(colour, open ? Math.max(0, last.current + PAUSE_MS - performance.now()) : 0);
    return () => {
      gone = true;
      clearTimeout(handle);
    };
  }, [highlighter, text, language, open, wanted]);
  return colours;
}

interface RawToken {
  content: string;
  htmlStyle?: Record<string, string>;
}

const seen = new WeakMap<readonly RawToken[], readonly Token[]>();

/** The highlighter keeps lines that are done as they are, so what is made of them stays the same too. */
function tokensOf(line: readonly RawToken[]): readonly Token[] {
  const before = seen.get(line);
  if (before) return before;
  const tokens = line.map(({ content, htmlStyle }) => ({
    content,
    light: htmlStyle?.["color"],
    dark: htmlStyle?.["--shiki-dark"],
  }));
  seen.set(line, tokens);
  return tokens;
}
