import { Check, Copy } from "lucide-react";
import { memo, useMemo } from "react";
import { useTranslation } from "react-i18next";
import { IconButton } from "@/ui/button";
import { useCopy } from "@/ui/use-copy";
import { useHighlight, type Colours, type Token } from "@/ui/markdown/use-highlight";

const PIECE_LINES = 50; // drawn and laid out together; the rest of a long block is not touched while it grows

/** Code, with its language and a button that copies it. It scrolls by itself, with the keyboard too. */
export const CodeBlock = memo(function CodeBlock({ text, language, open }: { text: string; language: string; open: boolean }) {
  const { t } = useTranslation();
  const { copied, copy } = useCopy(text);
  const colours = useHighlight(text, language.toLowerCase(), open);
  const pieces = useMemo(() => piecesOf(text), [text]);
  return (
    <figure className="md-code">
      <figcaption>
        <span>{language}</span>
        <IconButton label={t(copied ? "chat.copied" : "chat.copyCode")} onClick={copy}>
          {copied ? <Check aria-hidden /> : <Copy aria-hidden />}
        </IconButton>
      </figcaption>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- who has no mouse scrolls it by keyboard */}
      <pre role="region" aria-label={language ? t("chat.codeIn", { language }) : t("chat.code")} tabIndex={0}>
        <code>
          {pieces.map((piece, index) => (
            // Pieces are places in a text that grows at its end.
            // oxlint-disable-next-line react/no-array-index-key
            <Piece key={index} text={piece} first={index * PIECE_LINES} colours={colours} last={index === pieces.length - 1} />
          ))}
        </code>
      </pre>
    </figure>
  );
});

interface PieceProps {
  text: string;
  /** The number of its first line, from 0. */
  first: number;
  colours: Colours;
  last: boolean;
}

const Piece = memo(function Piece({ text, first, colours, last }: PieceProps) {
  const lines = text.split("\n");
  if (colours.length <= first) return <span className="md-lines">{last ? text : `${text}\n`}</span>;
  return (
    <span className="md-lines">
      {lines.map((line, index) => (
        // A line is its number.
        // oxlint-disable-next-line react/no-array-index-key
        <Line key={index} text={index < lines.length - 1 || !last ? `${line}\n` : line} tokens={colours[first + index]} />
      ))}
    </span>
  );
}, isSame);

function isSame(before: PieceProps, now: PieceProps): boolean {
  if (before.text !== now.text || before.last !== now.last) return false;
  if (before.colours === now.colours) return true;
  for (let line = now.first; line < now.first + PIECE_LINES; line += 1) {
    if (before.colours[line] !== now.colours[line]) return false;
  }
  return true;
}

/** The colours lag behind the text, so they are used only for the very line that they were made for. */
const Line = memo(function Line({ text, tokens }: { text: string; tokens: readonly Token[] | undefined }) {
  const bare = text.endsWith("\n") ? text.slice(0, -1) : text;
  if (!tokens || tokens.map((token) => token.content).join("") !== bare) return text;
  return (
    <>
      {tokens.map((token, index) => (
        // oxlint-disable-next-line react/no-array-index-key -- a token is its place in the line
        <span key={index} style={{ "--light": token.light, "--dark": token.dark } as object}>
          {token.content}
        </span>
      ))}
      {text.slice(bare.length)}
    </>
  );
});

function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  let from = 0;
  let lines = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) {
    lines += 1;
    if (lines % PIECE_LINES === 0) {
      pieces.push(text.slice(from, at));
      from = at + 1;
    }
  }
  pieces.push(text.slice(from));
  return pieces;
}
