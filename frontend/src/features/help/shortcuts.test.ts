import { expect, test } from "vitest";
import { keysOf, shortcutOf } from "@/features/help/shortcuts";

function press(init: KeyboardEventInit & { keyCode?: number }) {
  return { code: "", key: "", ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, isComposing: false, keyCode: 0, ...init };
}

test("Ctrl+K searches, on Apple's keyboards ⌘K does", () => {
  expect(shortcutOf(press({ key: "k", ctrlKey: true }), true, false)).toBe("search");
  expect(shortcutOf(press({ key: "k", metaKey: true }), true, true)).toBe("search");
  expect(shortcutOf(press({ key: "k", ctrlKey: true }), true, true)).toBeUndefined(); // deletes to the end of the line there
});

test("Shift counts: Ctrl+Shift+O is a new chat, Ctrl+O is the browser's", () => {
  expect(shortcutOf(press({ key: "O", ctrlKey: true, shiftKey: true }), false, false)).toBe("newChat");
  expect(shortcutOf(press({ key: "o", ctrlKey: true }), false, false)).toBeUndefined();
});

test("a Korean keyboard reaches the same keys", () => {
  expect(shortcutOf(press({ key: "ㅏ", code: "KeyK", ctrlKey: true }), false, false)).toBe("search");
});

test("while one types, no key without Ctrl is taken", () => {
  expect(shortcutOf(press({ key: "/" }), true, false)).toBeUndefined();
  expect(shortcutOf(press({ key: "/" }), false, false)).toBe("composer");
  expect(shortcutOf(press({ key: "?", shiftKey: true }), false, false)).toBe("help");
});

test("nothing counts while an input method composes, nor with AltGr", () => {
  expect(shortcutOf(press({ key: "k", ctrlKey: true, isComposing: true }), true, false)).toBeUndefined();
  expect(shortcutOf(press({ key: "/", keyCode: 229 }), false, false)).toBeUndefined();
  expect(shortcutOf(press({ key: "k", ctrlKey: true, altKey: true }), false, false)).toBeUndefined();
});

test("keys are named as they are printed", () => {
  expect(keysOf({ mod: true, shift: true, key: "o" }, true)).toEqual(["⌘", "⇧", "O"]);
  expect(keysOf({ mod: true, key: "Enter" }, false)).toEqual(["Ctrl", "Enter"]);
  expect(keysOf({ key: "Escape" }, false)).toEqual(["Esc"]);
});
