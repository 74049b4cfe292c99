import { createCodePlugin } from "@streamdown/code";

/** Shiki without WebAssembly, which the policy does not allow; each language is loaded when a block is written in it. */
export const highlighter = createCodePlugin({ themes: ["github-light-high-contrast", "github-dark-default"] });
