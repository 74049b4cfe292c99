import type { Element, ElementContent, Root as HtmlRoot, RootContent } from "hast";
import type { PhrasingContent, Root, RootContent as MarkdownContent } from "mdast";

const TAGS = new Set(
  "p br strong em del blockquote ul ol li h1 h2 h3 h4 h5 h6 hr pre code table thead tbody tr th td a sup sub".split(" "),
);

/** What each element may carry. Everything else is dropped, whatever made it. */
const PROPERTIES: Record<string, readonly string[]> = {
  a: ["href"],
  ul: ["className"], // of a list of tasks
  ol: ["start"],
  th: ["align"],
  td: ["align"],
  code: ["className"], // the language; and for maths, what finds it
};

const LINE_BREAK = /^<br\s*\/?>$/i;

/** For remark: raw HTML is text, save `<br>`, which tables need; footnotes, whose ends lie in other blocks, are text too. */
export function textInsteadOfHtml() {
  return (root: Root): void => {
    replaceIn(root);
  };
}

function replaceIn(parent: { type: string; children: MarkdownContent[] }): void {
  parent.children = parent.children.flatMap((child): MarkdownContent[] => {
    if (child.type === "html") {
      if (LINE_BREAK.test(child.value)) return [{ type: "break" }];
      const text = linesOf(child.value);
      return isFlow(parent) ? [{ type: "paragraph", children: text }] : text;
    }
    if (child.type === "footnoteReference") return [{ type: "text", value: markOf(child) }];
    if ("children" in child) replaceIn(child);
    if (child.type !== "footnoteDefinition") return [child];
    return [{ type: "paragraph", children: [{ type: "text", value: `${markOf(child)}:` }] }, ...child.children];
  });
}

function markOf({ label, identifier }: { label?: string | null | undefined; identifier: string }): string {
  return `[^${label ?? identifier}]`;
}

function isFlow(parent: { type: string }): boolean {
  return ["root", "blockquote", "listItem", "footnoteDefinition"].includes(parent.type);
}

function linesOf(text: string): PhrasingContent[] {
  return text.split("\n").flatMap((line, index): PhrasingContent[] => {
    const words: PhrasingContent = { type: "text", value: line };
    return index === 0 ? [words] : [{ type: "break" }, words];
  });
}

/** For rehype, as the last word on what a model wrote: only known elements, only what they need; pictures as links, boxes as characters. */
export function onlyKnownElements() {
  return (root: HtmlRoot): void => {
    root.children = safe(root.children, false);
  };
}

function safe(children: readonly RootContent[], inLink: boolean): ElementContent[] {
  return children.flatMap((child): ElementContent[] => {
    if (child.type === "text") return [child];
    if (child.type !== "element") return "value" in child ? [{ type: "text", value: child.value }] : [];
    switch (child.tagName) {
      case "img":
        return [pictureAsLink(child, inLink)];
      case "input":
        return [{ type: "text", value: child.properties["checked"] ? "☑" : "☐" }];
      default: {
        const inside = safe(child.children, inLink || child.tagName === "a");
        return TAGS.has(child.tagName) ? [{ ...child, properties: propertiesOf(child), children: inside }] : inside;
      }
    }
  });
}

function propertiesOf({ tagName, properties }: Element): Element["properties"] {
  const allowed = PROPERTIES[tagName] ?? [];
  return Object.fromEntries(Object.entries(properties).filter(([name]) => allowed.includes(name)));
}

/** A picture from elsewhere is never loaded: its address could carry away what was said. */
function pictureAsLink({ properties }: Element, inLink: boolean): ElementContent {
  const address = textOf(properties["src"]);
  const text: ElementContent = { type: "text", value: textOf(properties["alt"]) || address };
  if (inLink) return text;
  return { type: "element", tagName: "a", properties: { href: address }, children: [text] };
}

function textOf(property: unknown): string {
  return typeof property === "string" ? property : "";
}
