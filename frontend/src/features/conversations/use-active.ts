import { useState, type KeyboardEvent } from "react";
import { isComposing } from "@/features/conversations/composing";

/**
 * Which of a list of options the keyboard is at, while the focus stays in the field above: the first one after each
 * change of `about`. The options have the ids `place-0`, `place-1`, …; Enter presses the one it is at.
 */
export function useActive(count: number, about: string) {
  const [at, setAt] = useState({ about, index: 0 });
  const index = at.about === about ? Math.min(at.index, Math.max(count - 1, 0)) : 0;

  function move(by: number): void {
    const next = (index + by + count) % count;
    setAt({ about, index: next });
    document.getElementById(`place-${next}`)?.scrollIntoView({ block: "nearest" });
  }

  function onKeyDown(event: KeyboardEvent, settled: boolean): void {
    if (isComposing(event) || count === 0) return;
    switch (event.key) {
      case "ArrowDown":
      case "ArrowUp":
        event.preventDefault();
        move(event.key === "ArrowDown" ? 1 : -1);
        break;
      case "Enter":
        event.preventDefault();
        // What is listed may still be that of the word before.
        if (settled) document.getElementById(`place-${index}`)?.click();
        break;
    }
  }

  return { index, point: (index: number) => setAt({ about, index }), onKeyDown };
}
