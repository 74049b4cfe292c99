import { describe, expect, it } from "vitest";
import { blocksFrom, BlockSplitter } from "@/ui/markdown/blocks";
import { MAX_MARKDOWN_CHARS } from "@/ui/markdown/limits";

const kinds = (text: string) => blocksFrom(text).map(({ kind, text }) => [kind, text]);

const SAMPLE = [
  "# 제목",
  "A paragraph\nof two lines.",
  "- one\n\n- two\n\n  still two\n\n  ```js\n  a\n\n  b\n  ```\n\n- three",
  "```python title=x\nprint(1)\n\nprint(2)\n```",
  "$$\na\n\nb\n$$",
  "| a | b |\n|---|---|\n| 1 | 2 |",
  "> quoted\n> ```\n> code\n> ```",
  "1. first\n2. second",
  "The end.\n```\nopen",
].join("\n\n");

describe("splitting Markdown into blocks", () => {
  it("keeps together what belongs together", () => {
    expect(kinds(SAMPLE)).toEqual([
      ["prose", "# 제목"],
      ["prose", "A paragraph\nof two lines."],
      ["prose", "- one\n\n- two\n\n  still two\n\n  ```js\n  a\n\n  b\n  ```\n\n- three"],
      ["code", "print(1)\n\nprint(2)"],
      ["prose", "$$\na\n\nb\n$$"],
      ["prose", "| a | b |\n|---|---|\n| 1 | 2 |"],
      ["prose", "> quoted\n> ```\n> code\n> ```"],
      ["prose", "1. first\n2. second"],
      ["prose", "The end."],
      ["code", "open"],
    ]);
  });

  it("comes to the same however the text arrived", () => {
    for (const size of [1, 2, 3, 7, 50]) {
      const splitter = new BlockSplitter();
      for (let end = 0; end < SAMPLE.length; end += size) splitter.split(SAMPLE.slice(0, end));
      expect(splitter.split(SAMPLE)).toEqual(blocksFrom(SAMPLE));
    }
  });

  it("keeps the identity of blocks that are done", () => {
    const splitter = new BlockSplitter();
    const before = splitter.split(SAMPLE);
    const after = splitter.split(`${SAMPLE}\nmore`);
    expect(after.slice(0, -1).every((block, index) => block === before[index])).toBe(true);
    expect(after.at(-1)).not.toBe(before.at(-1));
  });

  it("starts over when the text is another one", () => {
    const splitter = new BlockSplitter();
    splitter.split("one\n\ntwo");
    expect(splitter.split("three").map((block) => block.text)).toEqual(["three"]);
  });

  it("leaves a fence open that is not closed, and an empty one empty", () => {
    expect(kinds("```js\n")).toEqual([["code", ""]]);
    expect(kinds("```\n```\nafter")).toEqual([
      ["code", ""],
      ["prose", "after"],
    ]);
    expect(kinds("````\n```\n````")).toEqual([["code", "```"]]);
    expect(kinds("```a``` inline")).toEqual([["prose", "```a``` inline"]]);
  });

  it("knows link definitions", () => {
    expect(blocksFrom("see [a][1]\n\n[1]: https://a.example\n[^2]: note")[1]?.definitions).toBe("[1]: https://a.example");
  });

  it("gives a long list several blocks, each beginning with an item", () => {
    const blocks = blocksFrom(Array.from({ length: 1000 }, (_, index) => `${index + 1}. an item of the list`).join("\n"));
    expect(blocks.length).toBeGreaterThan(5);
    expect(blocks.every((block) => block.kind === "prose" && /^\d+\. /.test(block.text))).toBe(true);
  });
});

describe("what would hold the page up is shown as it is", () => {
  it.each([
    ["bold", "**a**".repeat(32_000)],
    ["emphasis", "*a_".repeat(1_000)],
    ["quotes", ">".repeat(10_000)],
    ["spaced quotes", "> ".repeat(100)],
    ["brackets", "[".repeat(50_000)],
    ["list markers", "1. ".repeat(100)],
    ["mixed margins", "> - ".repeat(20)],
    ["indentation", Array.from({ length: 80 }, (_, depth) => `${"  ".repeat(depth)}- a`).join("\n")],
    ["a table", `| a |\n|---|\n${"| 1 |\n".repeat(10_000)}`],
    ["one line", "a".repeat(1_000_000)],
    ["definitions", "[a]: /b\n".repeat(200)],
  ])("%s", (_, text) => {
    const started = performance.now();
    const blocks = blocksFrom(text);
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(blocks.some((block) => block.kind === "plain")).toBe(true);
    expect(blocks.filter((block) => block.kind === "prose").every((block) => block.text.length < 4_000)).toBe(true);
  });

  it("also whatever comes after the most that one text may have", () => {
    const blocks = blocksFrom("A paragraph.\n\n".repeat(MAX_MARKDOWN_CHARS / 14 + 10));
    expect(blocks[0]?.kind).toBe("prose");
    expect(blocks.at(-1)?.kind).toBe("plain");
  });
});
