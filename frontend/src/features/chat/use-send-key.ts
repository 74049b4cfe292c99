import { useRef, type KeyboardEvent } from "react";
import { AT_REST, step, type KeyInput, type Step } from "@/features/chat/ime";
import { usePreferences, type SendKey } from "@/lib/preferences";

/** Where fingers type there is no Shift+Enter: Enter makes a new line, and the button sends. */
const isTouch = matchMedia("(hover: none) and (pointer: coarse)");

/** What sends here and now. */
export function useSendKeyPreference(): SendKey {
  const preferred = usePreferences((preferences) => preferences.sendKey);
  return isTouch.matches ? "mod-enter" : preferred;
}

/** Handlers for a text box that sends by Enter, or by Ctrl/⌘+Enter, and never by the Enter that ends a syllable. */
export function useSendKey(send: () => void) {
  const sendKey = useSendKeyPreference();
  const state = useRef(AT_REST);

  function take(input: KeyInput): Step {
    const next = step(state.current, input, sendKey);
    state.current = next.state;
    return next;
  }

  return {
    onCompositionStart: () => void take({ type: "compositionstart" }),
    onCompositionEnd: () => void take({ type: "compositionend" }),
    onBlur: () => void take({ type: "blur" }),
    onKeyUp: ({ key }: KeyboardEvent) => void take({ type: "keyup", key }),
    onKeyDown: (event: KeyboardEvent) => {
      const { key, keyCode, repeat, shiftKey, altKey, ctrlKey, metaKey } = event;
      const { isComposing } = event.nativeEvent;
      const next = take({ type: "keydown", key, keyCode, isComposing, repeat, shiftKey, altKey, ctrlKey, metaKey });
      if (next.taken) event.preventDefault();
      if (next.send) send();
    },
  };
}
