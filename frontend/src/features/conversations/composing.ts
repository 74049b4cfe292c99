import type { KeyboardEvent } from "react";

/** Whether a key belongs to the input method, as Korean is written with. 229: Safari tells it only after the composition's end. */
export function isComposing(event: KeyboardEvent): boolean {
  return event.nativeEvent.isComposing || event.keyCode === 229;
}
