import { useEffect, type RefObject } from "react";

const FOCUSABLE = "a[href], button:not([disabled]), input:not([disabled]), [tabindex='0']";

/** While `active`: the focus goes into `place`, Escape calls `onEscape`, and afterwards the focus goes back to where it was. */
export function useFocusWithin(place: RefObject<HTMLElement | null>, active: boolean, onEscape: () => void): void {
  useEffect(() => {
    if (!active) return undefined;
    const before = document.activeElement;
    place.current?.querySelector<HTMLElement>(FOCUSABLE)?.focus();
    function pressed(event: KeyboardEvent): void {
      // What is opened from `place` lies elsewhere in the document, and has an Escape of its own.
      const isInside = event.target instanceof Node && place.current?.contains(event.target);
      if (event.key === "Escape" && !event.defaultPrevented && !event.isComposing && isInside) onEscape();
    }
    window.addEventListener("keydown", pressed);
    return () => {
      window.removeEventListener("keydown", pressed);
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, [place, active, onEscape]);
}
