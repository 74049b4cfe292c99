/** What the keyboard does from anywhere. */
export type ShortcutId = "search" | "newChat" | "sidebar" | "stop" | "composer" | "help";

export interface Shortcut {
  id: ShortcutId;
  /** ⌘ on Apple's, Ctrl elsewhere. */
  mod?: boolean;
  shift?: boolean;
  /** As `KeyboardEvent.key` of a US keyboard, small. */
  key: string;
}

/** All of them; the help sheet lists this table, and `app/` obeys it. */
export const SHORTCUTS: readonly Shortcut[] = [
  { id: "search", mod: true, key: "k" },
  { id: "newChat", mod: true, shift: true, key: "o" },
  { id: "sidebar", mod: true, key: "b" },
  { id: "composer", key: "/" },
  { id: "stop", key: "Escape" },
  { id: "help", key: "?" },
];

/** Whether keys are named as on Apple's keyboards. */
export const isApple: boolean = /mac|iphone|ipad/i.test(navigator.userAgent);

/** The keys of `shortcut` as they are printed on the keyboard. */
export function keysOf({ mod = false, shift = false, key }: Omit<Shortcut, "id">, apple = isApple): string[] {
  const last = key === "Escape" ? "Esc" : key.length === 1 ? key.toUpperCase() : key;
  return [...(mod ? [apple ? "⌘" : "Ctrl"] : []), ...(shift ? [apple ? "⇧" : "Shift"] : []), last];
}

type Pressed = Pick<KeyboardEvent, "key" | "code" | "ctrlKey" | "metaKey" | "shiftKey" | "altKey" | "isComposing" | "keyCode">;

/**
 * The shortcut that `event` is, if it is one. `typing`: the keys go into a field, so that only those with ⌘ or Ctrl count.
 *
 * Nothing counts while an input method composes (`keyCode` 229: Safari says so after the fact).
 */
export function shortcutOf(event: Pressed, typing: boolean, apple = isApple): ShortcutId | undefined {
  if (event.isComposing || event.keyCode === 229 || event.altKey) return undefined;
  const mod = apple ? event.metaKey : event.ctrlKey;
  if (apple ? event.ctrlKey : event.metaKey) return undefined;
  const found = SHORTCUTS.find((shortcut) => {
    if (Boolean(shortcut.mod) !== mod) return false;
    if (shortcut.mod) return Boolean(shortcut.shift) === event.shiftKey && letterOf(event) === shortcut.key;
    return event.key === shortcut.key;
  });
  return found && (found.mod || !typing) ? found.id : undefined;
}

/** With a Korean, Greek or Cyrillic keyboard the key says ㅏ, κ or л; then its place on the keyboard counts. */
function letterOf({ key, code }: Pressed): string {
  return /^[a-z]$/i.test(key) ? key.toLowerCase() : code.replace(/^Key/, "").toLowerCase();
}
