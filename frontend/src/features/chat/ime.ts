import type { SendKey } from "@/lib/preferences";

/** Of a browser's event, what tells whether a message is to be sent. */
export type KeyInput =
  | { type: "compositionstart" | "compositionend" | "blur" }
  | { type: "keyup"; key: string }
  | {
      type: "keydown";
      key: string;
      /** 229: the key went to the input method. Safari says it of the Enter that ends a syllable, after `compositionend`. */
      keyCode: number;
      isComposing: boolean;
      repeat?: boolean;
      shiftKey?: boolean;
      altKey?: boolean;
      ctrlKey?: boolean;
      metaKey?: boolean;
    };

export interface KeyState {
  /** A syllable is being put together. */
  composing: boolean;
  /** Enter has sent and is still down: nothing more is sent by this press. */
  spent: boolean;
}

export const AT_REST: KeyState = { composing: false, spent: false };

const INPUT_METHOD = 229;

/**
 * One event further. `send` is true for exactly the events that send.
 *
 * An Enter that belongs to a syllable never sends; the next one does, once. Browsers tell that in different orders, and some
 * tell one press as two Enters, so neither the order of events nor their number is relied on.
 */
export function step(state: KeyState, input: KeyInput, sendKey: SendKey): { state: KeyState; send: boolean } {
  switch (input.type) {
    case "compositionstart":
      return { state: { composing: true, spent: false }, send: false };
    case "compositionend":
      return { state: { ...state, composing: false }, send: false };
    case "blur":
      return { state: AT_REST, send: false };
    case "keyup":
      return { state: input.key === "Enter" ? { ...state, spent: false } : state, send: false };
    case "keydown":
      return pressed(state, input, sendKey);
    default:
      return { state, send: false };
  }
}

type Keydown = Extract<KeyInput, { type: "keydown" }>;

function pressed(state: KeyState, input: Keydown, sendKey: SendKey): { state: KeyState; send: boolean } {
  if (input.key !== "Enter") return { state: { ...state, spent: false }, send: false };
  if (state.composing || input.isComposing || input.keyCode === INPUT_METHOD) {
    // A `compositionend` that a browser never sends must not hold back a second Enter.
    return { state: { ...state, composing: false }, send: false };
  }
  const send = !input.repeat && !state.spent && isSendKey(input, sendKey);
  return { state: send ? { ...state, spent: true } : state, send };
}

function isSendKey(input: Keydown, sendKey: SendKey): boolean {
  if (input.shiftKey || input.altKey) return false;
  return sendKey === "enter" || input.ctrlKey === true || input.metaKey === true;
}
