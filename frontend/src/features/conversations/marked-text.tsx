import { marked } from "@/features/conversations/marks";

/** Text with the words of `query` marked in it. */
export function MarkedText({ text, query }: { text: string; query: string }) {
  let place = 0;
  return marked(text, query).map((piece) => {
    const key = place;
    place += piece.text.length;
    return piece.hit ? (
      <mark key={key} className="rounded-sm bg-mark text-ink">
        {piece.text}
      </mark>
    ) : (
      piece.text
    );
  });
}
