import { memo } from "react";

const PIECE_CHARS = 8_000; // laid out by itself, so that a megabyte in one line does not hold the page up

/** Text as it is, in the typography of Markdown: before its renderer is there, and for what is too much for it. */
export const Plain = memo(function Plain({ text }: { text: string }) {
  if (text.length <= PIECE_CHARS) return <p className="md-plain">{text}</p>;
  return (
    <div>
      {piecesOf(text).map((piece, index) => (
        // Pieces are places in a text that grows at its end.
        // oxlint-disable-next-line react/no-array-index-key
        <Piece key={index} text={piece} />
      ))}
    </div>
  );
});

const Piece = memo(function Piece({ text }: { text: string }) {
  return <p className="md-plain md-piece">{text}</p>;
});

/** Cut at the end of a line where there is one; the same cuts however long the text has become. */
function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  let at = 0;
  while (at < text.length) {
    const line = text.lastIndexOf("\n", at + PIECE_CHARS);
    const end = at + PIECE_CHARS >= text.length ? text.length : line > at ? line + 1 : endOfCharacter(text, at + PIECE_CHARS);
    pieces.push(text.slice(at, end));
    at = end;
  }
  return pieces;
}

function endOfCharacter(text: string, at: number): number {
  return /[\uD800-\uDBFF]/.test(text.charAt(at - 1)) ? at + 1 : at;
}
