import { clsx } from "clsx";
import { memo, useEffect, useState } from "react";
import { BlockSplitter, type Block } from "@/ui/markdown/blocks";
import { CodeBlock } from "@/ui/markdown/code-block";
import { later } from "@/ui/markdown/later";
import { Plain } from "@/ui/markdown/plain";
import { PlainOnError } from "@/ui/markdown/plain-on-error";
import { LinkGuard } from "@/ui/markdown/safe-link";
import "@/ui/markdown/markdown.css";

const prose = later(async () => (await import("@/ui/markdown/prose")).drawProse);

/** Load what draws Markdown, before there is any. */
export const loadMarkdown = prose.load;

const HEADING = /^#{1,6}\s[^\n]*$/; // and nothing else

const AT_ONCE_CHARS = 6_000; // more than a screen; the rest of a long text is drawn when the page has time
const STEP_CHARS = 2_500; // about 25 ms of parsing on a slow machine

/**
 * What a model wrote, as React elements and never as HTML. While `open`, it grows at its end, and only the block that grows is
 * drawn again. What cannot be parsed quickly is shown as it is.
 */
export function Markdown({ text, open = false }: { text: string; open?: boolean }) {
  const [splitter] = useState(() => new BlockSplitter());
  const [grows] = useState(open);
  const blocks = splitter.split(text);
  const { head, from } = useDrawn(blocks);
  const definitions = blocks.map((block) => block.definitions).filter(Boolean).join("\n");
  const last = blocks.at(-1);
  const draw = (block: Block) => (
    <DrawnBlock
      key={block.start}
      block={block}
      open={open && block === last}
      definitions={definitions && refersTo(block) ? definitions : ""}
    />
  );
  return (
    <LinkGuard>
      <div className={clsx("md", grows && "md-grows")}>
        {blocks.slice(0, head).map(draw)}
        {from > head && <Plain key="rest" text={text.slice(blocks[head]?.start, blocks[from]?.start).trimEnd()} />}
        {blocks.slice(from).map(draw)}
      </div>
    </LinkGuard>
  );
}

interface DrawnBlockProps {
  block: Block;
  open: boolean;
  definitions: string;
}

const DrawnBlock = memo(function DrawnBlock(props: DrawnBlockProps) {
  return (
    <div className={clsx("md-block", HEADING.test(props.block.text) && props.block.kind === "prose" && "md-heading")}>
      <BlockContent {...props} />
    </div>
  );
});

function BlockContent({ block, open, definitions }: DrawnBlockProps) {
  const draw = prose.use(block.kind === "prose");
  if (block.kind === "code") return <CodeBlock text={block.text} language={block.language} open={open} />;
  if (block.kind === "plain" || !draw) return <Plain text={block.text} />;
  return (
    <PlainOnError text={block.text}>
      {draw(definitions ? `${block.text}\n\n${definitions}` : block.text, open)}
    </PlainOnError>
  );
}

function refersTo(block: Block): boolean {
  return block.kind === "prose" && /\[[^\]]+\](?!\()/.test(block.text) && block.definitions === "";
}

interface Drawn {
  /** Blocks before this one are parsed. */
  head: number;
  /** And from this one on; those between them follow when the page has time. */
  from: number;
  /** How many blocks there were. */
  count: number;
}

/** What is parsed already. A long text that is there at once is parsed from its end, where it is read first. */
function useDrawn(blocks: readonly Block[]): Drawn {
  const [drawn, setDrawn] = useState<Drawn>(() => grown({ head: 0, from: 0, count: 0 }, blocks));
  const now = drawn.count === blocks.length ? drawn : grown(drawn, blocks);
  if (now !== drawn) setDrawn(now);
  useEffect(() => {
    if (now.from <= now.head) return undefined;
    return whenIdle(() => setDrawn({ ...now, from: Math.max(now.head, backFrom(blocks, now.from, STEP_CHARS)) }));
  }, [blocks, now]);
  return now;
}

function grown({ head, from, count }: Drawn, blocks: readonly Block[]): Drawn {
  const before = Math.min(count, blocks.length);
  if (from > head) return { head, from: Math.min(from, blocks.length), count: blocks.length };
  const atOnce = backFrom(blocks, blocks.length, AT_ONCE_CHARS);
  return { head: before, from: Math.max(before, atOnce), count: blocks.length };
}

function backFrom(blocks: readonly Block[], end: number, chars: number): number {
  let index = end;
  let room = chars;
  while (index > 0 && room > 0) {
    index -= 1;
    room -= blocks[index]?.text.length ?? 0;
  }
  return index;
}

/** Safari has no idle callbacks. */
function whenIdle(act: () => void): () => void {
  if (typeof requestIdleCallback === "function") {
    const handle = requestIdleCallback(act, { timeout: 500 });
    return () => cancelIdleCallback(handle);
  }
  const handle = setTimeout(act, 30);
  return () => clearTimeout(handle);
}
