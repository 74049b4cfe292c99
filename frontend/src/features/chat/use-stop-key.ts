import { useEffect } from "react";

const OVER_THE_PAGE = "[role=dialog], [role=alertdialog], [role=menu]";

/** Escape stops the answer that is being written, unless it closes something or ends a syllable. */
export function useStopKey(active: boolean, stop: () => void): void {
  useEffect(() => {
    if (!active) return undefined;
    function pressed(event: KeyboardEvent): void {
      if (event.key !== "Escape" || event.defaultPrevented || event.isComposing || event.repeat) return;
      if (document.querySelector(OVER_THE_PAGE)) return;
      event.preventDefault();
      stop();
    }
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, [active, stop]);
}
