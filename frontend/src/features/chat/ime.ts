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

/** What comes of an event: `send`, for exactly the events that send; `taken`: the browser is to make no new line of it. */
export interface Step {
  state: KeyState;
  send: boolean;
  taken: boolean;
}

/**
 * One event further.
 *
 * An Enter that belongs to a syllable never sends; the next one does, once. Browsers tell that in different orders, and some
 * tell one press as two Enters, so neither the order of events nor their number is relied on.
 */
export function step(state: KeyState, input: KeyInput, sendKey: SendKey): Step {
  switch (input.type) {
    case "compositionstart":
      return only({ composing: true, spent: false });
    case "compositionend":
      return only({ ...state, composing: false });
    case "blur":
      return only(AT_REST);
    case "keyup":
      return only(input.key === "Enter" ? { ...state, spent: false } : state);
    case "keydown":
      return pressed(state, input, sendKey);
    default:
      return only(state);
  }
}

function only(state: KeyState): Step {
  return { state, send: false, taken: false };
}

type Keydown = Extract<KeyInput, { type: "keydown" }>;

function pressed(state: KeyState, input: Keydown, sendKey: SendKey): Step {
  if (input.key !== "Enter") return only({ ...state, spent: false });
  if (state.composing || input.isComposing || input.keyCode === INPUT_METHOD) {
    // A `compositionend` that a browser never sends must not hold back a second Enter.
    return only({ ...state, composing: false });
  }
  const sends = isSendKey(input, sendKey);
  const send = sends && !input.repeat && !state.spent;
  // A repeat may come to a box that knows nothing of its beginning, since the question has opened another conversation.
  return { state: send ? { ...state, spent: true } : state, send, taken: sends || state.spent };
}

function isSendKey(input: Keydown, sendKey: SendKey): boolean {
  if (input.shiftKey || input.altKey) return false;
  return sendKey === "enter" || input.ctrlKey === true || input.metaKey === true;
}
