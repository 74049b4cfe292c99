import { describe, expect, it } from "vitest";
import { AT_REST, step, type KeyInput } from "@/features/chat/ime";
import type { SendKey } from "@/lib/preferences";

interface Trace {
  /** Where it comes from; where nothing is said, it is the order that is documented of the browser, written down. */
  about: string;
  events: KeyInput[];
  /** The indexes of the events that send. */
  sends: number[];
}

const traces = import.meta.glob<Trace>("./ime-traces/*.json", { eager: true, import: "default" });

function sendsOf(events: readonly KeyInput[], sendKey: SendKey): number[] {
  let state = AT_REST;
  return events.flatMap((event, index) => {
    const next = step(state, event, sendKey);
    state = next.state;
    return next.send ? [index] : [];
  });
}

const enter = (more: Partial<Extract<KeyInput, { type: "keydown" }>> = {}): KeyInput => ({
  type: "keydown",
  key: "Enter",
  keyCode: 13,
  isComposing: false,
  ...more,
});

describe("Enter while a Korean syllable is being put together", () => {
  it.each(Object.entries(traces))("%s", (_, { events, sends }) => {
    expect(sendsOf(events, "enter")).toEqual(sends);
  });

  it.each(Object.entries(traces))("%s, where Ctrl+Enter sends", (_, { events, sends }) => {
    const withCtrl = events.map((event) => (event.type === "keydown" ? { ...event, ctrlKey: true } : event));
    expect(sendsOf(withCtrl, "mod-enter")).toEqual(sends);
    expect(sendsOf(events, "mod-enter")).toEqual([]);
  });
});

describe("Enter", () => {
  it("sends once a press, however often it is told", () => {
    expect(sendsOf([enter(), enter(), enter({ repeat: true })], "enter")).toEqual([0]);
  });

  it("makes a new line with Shift or Alt", () => {
    expect(sendsOf([enter({ shiftKey: true }), enter({ altKey: true })], "enter")).toEqual([]);
  });

  it("is no new line where it sends, also as the repeat of a press that another box has sent", () => {
    expect(step(AT_REST, enter({ repeat: true }), "enter")).toMatchObject({ send: false, taken: true });
    expect(step(AT_REST, enter({ repeat: true, shiftKey: true }), "enter").taken).toBe(false);
    expect(step(AT_REST, enter({ repeat: true }), "mod-enter").taken).toBe(false);
    expect(step(AT_REST, enter({ isComposing: true, repeat: true }), "enter").taken).toBe(false);
  });

  it("sends with Ctrl or ⌘ under either preference", () => {
    for (const sendKey of ["enter", "mod-enter"] as const) {
      expect(sendsOf([enter({ ctrlKey: true })], sendKey)).toEqual([0]);
      expect(sendsOf([enter({ metaKey: true })], sendKey)).toEqual([0]);
    }
  });

  it("sends again after the box was left while Enter was down", () => {
    expect(sendsOf([enter(), { type: "blur" }, enter()], "enter")).toEqual([0, 2]);
  });
});
