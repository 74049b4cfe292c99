import { isTooMuch, MAX_MARKDOWN_CHARS } from "@/ui/markdown/limits";

/** A stretch of Markdown that is drawn by itself. It keeps its identity (===) while nothing about it changed. */
export interface Block {
  /** plain: drawn as it is, since parsing it would hold the page up. */
  kind: "prose" | "code" | "plain";
  /** Of code: without its fences. */
  text: string;
  /** Of code: what follows the opening fence. */
  language: string;
  /** Where it begins in the whole text; the key to draw it under. */
  start: number;
  /** Link definitions in it, which other blocks may refer to. */
  definitions: string;
}

const LIST_PIECE_CHARS = 3_000; // a list goes on as a block of its own after so much, so that a frame parses no more

const FENCE = /^ {0,3}(`{3,}|~{3,})(.*)$/;
const NESTED_FENCE = /^[ \t>]*(?:[-*+] |\d{1,9}[.)] )?[ \t]*(`{3,}|~{3,})/;
const LIST_ITEM = /^(?:[-*+]|\d{1,9}[.)])(?:[ \t]|$)/;
const DEFINITION = /^ {0,3}\[(?!\^)[^\]]{1,200}\]:[ \t]*\S+.*$/gm;

/** Splits a text that mostly grows at its end: of what was split before, only the last two blocks are looked at again. */
export class BlockSplitter {
  #text = "";
  #blocks: readonly Block[] = [];

  split(text: string): readonly Block[] {
    if (text === this.#text) return this.#blocks;
    const kept = text.startsWith(this.#text) ? this.#blocks.slice(0, -2) : [];
    const rest = text.startsWith(this.#text) ? this.#blocks.slice(-2) : [];
    const known = new Map(rest.map((block) => [block.start, block]));
    const from = rest[0]?.start ?? 0;
    const fresh = blocksFrom(text, from).map((block) => {
      const before = known.get(block.start);
      return before && before.kind === block.kind && before.text === block.text && before.language === block.language
        ? before
        : block;
    });
    this.#text = text;
    this.#blocks = [...kept, ...fresh];
    return this.#blocks;
  }
}

/** The blocks of `text` from `from` on, which must be where a block begins. */
export function blocksFrom(text: string, from = 0): Block[] {
  const blocks: Block[] = [];
  let at = from;
  while (at < text.length) {
    const { block, next } = blockAt(text, at);
    if (block) blocks.push(block);
    at = next;
  }
  return blocks;
}

function blockAt(text: string, start: number): { block: Block | null; next: number } {
  const first = lineAt(text, start);
  if (first.line.trim() === "") return { block: null, next: first.next };
  if (start >= MAX_MARKDOWN_CHARS) return { block: plainBlock(text.slice(start), start), next: text.length };
  const fence = FENCE.exec(first.line);
  if (fence && isFenceOpening(fence)) return codeAt(text, start, first.next, fence);
  const end = endOfProse(text, start);
  const content = text.slice(start, end).replace(/\s+$/, "");
  if (isTooMuch(content)) return { block: plainBlock(content, start), next: end };
  const definitions = content.includes("]:") ? (content.match(DEFINITION) ?? []).join("\n") : "";
  return { block: { kind: "prose", text: content, language: "", start, definitions }, next: end };
}

function plainBlock(text: string, start: number): Block {
  return { kind: "plain", text, language: "", start, definitions: "" };
}

function codeAt(text: string, start: number, bodyStart: number, fence: RegExpExecArray): { block: Block; next: number } {
  const [, marks = "", info = ""] = fence;
  const closing = new RegExp(`^ {0,3}${marks.charAt(0)}{${marks.length},}[ \\t\\r]*$`);
  let at = bodyStart;
  let end = text.length;
  let next = text.length;
  while (at < text.length) {
    const { line, next: after } = lineAt(text, at);
    if (closing.test(line)) {
      end = Math.max(bodyStart, at - 1);
      next = after;
      break;
    }
    at = after;
  }
  const language = info.trim().split(/\s/, 1)[0] ?? "";
  return { block: { kind: "code", text: text.slice(bodyStart, end), language, start, definitions: "" }, next };
}

/** Where the prose that begins at `start` ends: before a fence, or before a line at the margin after an empty one. */
function endOfProse(text: string, start: number): number {
  let at = start;
  let inMath = false;
  let nestedFence = "";
  let afterBlank = false;
  const inList = LIST_ITEM.test(lineAt(text, start).line);
  while (at < text.length) {
    const { line, next } = lineAt(text, at);
    if (nestedFence) {
      if (line.trimStart().replace(/^[> \t]+/, "").startsWith(nestedFence)) nestedFence = "";
    } else if (inMath) {
      inMath = countOf(line, "$$") % 2 === 0;
    } else if (line.trim() === "") {
      afterBlank = true;
      at = next;
      continue;
    } else {
      if (at > start && (endsBefore(line, { afterBlank, inList, size: at - start }) || opensFence(line, inList))) return at;
      if (countOf(line, "$$") % 2 === 1) inMath = true;
      nestedFence = NESTED_FENCE.exec(line)?.[1] ?? "";
    }
    afterBlank = false;
    at = next;
  }
  return text.length;
}

function endsBefore(line: string, { afterBlank, inList, size }: { afterBlank: boolean; inList: boolean; size: number }): boolean {
  const isItem = LIST_ITEM.test(line);
  if (inList && isItem) return size > LIST_PIECE_CHARS;
  if (!afterBlank) return false;
  return inList ? !/^(?: {2}|\t)/.test(line) : true;
}

function opensFence(line: string, inList: boolean): boolean {
  const fence = FENCE.exec(line);
  return fence !== null && isFenceOpening(fence) && !(inList && /^ {2}/.test(line));
}

/** A line of backticks with another backtick after them is code within a line. */
function isFenceOpening([, marks = "", info = ""]: RegExpExecArray): boolean {
  return !(marks.startsWith("`") && info.includes("`"));
}

function lineAt(text: string, at: number): { line: string; next: number } {
  const end = text.indexOf("\n", at);
  return end < 0 ? { line: text.slice(at), next: text.length } : { line: text.slice(at, end), next: end + 1 };
}

function countOf(text: string, part: string): number {
  let count = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) count += 1;
  return count;
}
