import { renderToString } from "katex";
import { createElement, memo, type CSSProperties, type ReactNode } from "react";
import "katex/dist/katex.min.css";

const OPTIONS = {
  throwOnError: true,
  strict: "ignore", // Korean inside \text is no mistake
  trust: false, // no links, pictures, classes or styles out of a formula
  maxExpand: 200, // macros that call themselves end
  maxSize: 20, // em
} as const;

/** A formula as React elements; as it was written, while it is not one (yet). */
export const Formula = memo(function Formula({ tex, display }: { tex: string; display: boolean }) {
  const drawn = draw(tex, display);
  if (drawn === null) return <code>{tex}</code>;
  return display ? <span className="md-formula">{drawn}</span> : drawn;
});

/**
 * KaTeX makes a string. It is read as XML without namespaces, whose styles are words to the browser and nothing that the page's
 * policy would have to refuse; React then sets each style by itself.
 */
function draw(tex: string, display: boolean): ReactNode {
  try {
    const markup = renderToString(tex, { ...OPTIONS, displayMode: display }).replaceAll(/ xmlns="[^"]*"/g, "");
    const root = new DOMParser().parseFromString(markup, "application/xml").documentElement;
    return root.querySelector("parsererror") ? null : elementOf(root, 0);
  } catch {
    return null; // no formula: KaTeX says so by throwing
  }
}

function elementOf(node: Element, key: number): ReactNode {
  const properties: Record<string, unknown> = { key };
  for (const { name, value } of node.attributes) {
    if (name === "class") properties["className"] = value;
    else if (name === "style") properties["style"] = styleOf(value);
    else properties[name.startsWith("aria-") ? name : camelCase(name)] = value;
  }
  const children = [...node.childNodes].map((child, index) =>
    child instanceof Element ? elementOf(child, index) : child.textContent,
  );
  return children.length > 0 ? createElement(node.localName, properties, children) : createElement(node.localName, properties);
}

function styleOf(text: string): CSSProperties {
  const pairs = text.split(";").flatMap((declaration) => {
    const [name, value] = declaration.split(":");
    return name && value ? [[camelCase(name.trim()), value.trim()]] : [];
  });
  return Object.fromEntries(pairs) as CSSProperties;
}

function camelCase(name: string): string {
  return name.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
