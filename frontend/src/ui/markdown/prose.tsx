import { cjk } from "@streamdown/cjk";
import { defaultRemarkPlugins, Streamdown, type Components, type ExtraProps } from "streamdown";
import { useTranslation } from "react-i18next";
import type { Element } from "hast";
import type { ComponentProps, ComponentType, ReactNode } from "react";
import { CodeBlock } from "@/ui/markdown/code-block";
import { later } from "@/ui/markdown/later";
import { mayHoldMath, normalizeMath } from "@/ui/markdown/math-delimiters";
import { onlyKnownElements, textInsteadOfHtml } from "@/ui/markdown/safe-tree";
import { SafeLink } from "@/ui/markdown/safe-link";

const maths = later(() => import("@/ui/markdown/maths"));

const remarkPlugins = [...Object.values(defaultRemarkPlugins), textInsteadOfHtml];
const rehypePlugins = [onlyKnownElements]; // in place of streamdown's own, which let raw HTML in
const MATH = "math"; // the language that remark-math gives to formulas
const plugins = { cjk };

const components: Components = {
  // The page has the first heading and each message the second.
  h1: "h3",
  h2: "h4",
  h3: "h5",
  h4: "h6",
  h5: "h6",
  h6: "h6",
  p: "p",
  ul: "ul",
  ol: "ol",
  li: "li",
  blockquote: "blockquote",
  hr: "hr",
  strong: "strong",
  sup: "sup",
  sub: "sub",
  thead: "thead",
  tbody: "tbody",
  tr: "tr",
  th: "th",
  td: "td",
  code: InlineCode,
  section: "section",
  img: Nothing,
  a: Link as ComponentType,
  pre: Preformatted,
  table: Table as ComponentType,
};

/** One block of Markdown as React elements. `open`: it is still being written, so marks that are not closed yet count as closed. */
export function drawProse(text: string, open: boolean): ReactNode {
  return <Prose text={text} open={open} />;
}

function Prose({ text, open }: { text: string; open: boolean }) {
  const mayBeMath = mayHoldMath(text);
  const math = maths.use(mayBeMath);
  return (
    <Streamdown
      key={math && mayBeMath ? "maths" : "text"} // it would not notice new plugins
      className="md-text"
      components={components}
      controls={false}
      isAnimating={open}
      parseIncompleteMarkdown={open}
      parseMarkdownIntoBlocksFn={asOneBlock}
      plugins={plugins}
      rehypePlugins={rehypePlugins}
      remarkPlugins={mayBeMath && math ? [...remarkPlugins, math.remarkMaths] : remarkPlugins}
    >
      {mayBeMath && math ? normalizeMath(text) : text}
    </Streamdown>
  );
}

function asOneBlock(text: string): string[] {
  return [text];
}

/** `onlyKnownElements` leaves no picture; this is for the day that it does. */
function Nothing() {
  return null;
}

function Link({ href, children }: ComponentProps<"a">) {
  return <SafeLink href={href}>{children}</SafeLink>;
}

/** A fence inside a list or a quote, or a formula on lines of its own. */
function Preformatted({ node }: ExtraProps) {
  const code = node?.children[0];
  if (code?.type !== "element") return null;
  const language = languageOf(code);
  const text = textOf(code).replace(/\n$/, "");
  return language === MATH ? <LaterFormula tex={text} display /> : <CodeBlock text={text} language={language} open={false} />;
}

function InlineCode({ node }: ExtraProps) {
  if (!node) return null;
  return languageOf(node) === MATH ? <LaterFormula tex={textOf(node)} display={false} /> : <code>{textOf(node)}</code>;
}

/** As code until what draws it is there; a fence of the language "math" may be the first to need it. */
function LaterFormula({ tex, display }: { tex: string; display: boolean }) {
  const math = maths.use(true);
  return math ? <math.Formula tex={tex} display={display} /> : <code>{tex}</code>;
}

function languageOf({ properties: { className } }: Element): string {
  const names = Array.isArray(className) ? className.map(String) : [];
  return names.find((name) => name.startsWith("language-"))?.slice("language-".length) ?? "";
}

function textOf({ children }: Element): string {
  return children.map((child) => (child.type === "text" ? child.value : "")).join("");
}

function Table({ children }: ComponentProps<"table">) {
  const { t } = useTranslation();
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- who has no mouse scrolls it by keyboard
    <div className="md-table scroll-shadows" role="region" aria-label={t("chat.table")} tabIndex={0}>
      <table>{children}</table>
    </div>
  );
}
