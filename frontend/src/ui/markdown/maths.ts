import { createMathPlugin } from "@streamdown/math";
import type { Pluggable } from "unified";

/** For remark: `$…$` and `$$…$$` become code of the language "math", which `Formula` draws. */
export const remarkMaths: Pluggable = createMathPlugin({ singleDollarTextMath: true }).remarkPlugin;

export { Formula } from "@/ui/markdown/formula";
