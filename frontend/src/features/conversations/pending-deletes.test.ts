import { expect, test } from "vitest";
import { due, held, nextDue, NONE, reduce, UNDO_SECONDS, type DeleteEvent } from "@/features/conversations/pending-deletes";

const SPAN = UNDO_SECONDS * 1000;

function after(...events: DeleteEvent[]) {
  return events.reduce(reduce, NONE);
}

test("each one has its own time to be undone", () => {
  const pending = after({ type: "asked", id: "a", now: 0 }, { type: "asked", id: "b", now: 3000 });
  expect(nextDue(pending)).toBe(SPAN);
  expect(due(pending, SPAN - 1)).toEqual([]);
  expect(due(pending, SPAN)).toEqual(["a"]);
  expect(due(pending, SPAN + 3000)).toEqual(["a", "b"]);
});

test("asking again does not give it more time", () => {
  expect(due(after({ type: "asked", id: "a", now: 0 }, { type: "asked", id: "a", now: 5000 }), SPAN)).toEqual(["a"]);
});

test("what is undone is shown again, and is not due", () => {
  const pending = after({ type: "asked", id: "a", now: 0 }, { type: "undone", id: "a" });
  expect(pending.has("a")).toBe(false);
  expect(nextDue(pending)).toBeUndefined();
});

test("what was sent can no longer be undone, and is not sent again", () => {
  const sent = after({ type: "asked", id: "a", now: 0 }, { type: "sent", id: "a" });
  expect(reduce(sent, { type: "undone", id: "a" })).toBe(sent);
  expect(held(sent)).toEqual([]);
  expect(sent.has("a")).toBe(true);
});

test("what was refused is shown again", () => {
  const pending = after({ type: "asked", id: "a", now: 0 }, { type: "sent", id: "a" }, { type: "refused", id: "a" });
  expect(pending.has("a")).toBe(false);
});

test("what is deleted stays away, whatever comes late", () => {
  const gone = after({ type: "asked", id: "a", now: 0 }, { type: "sent", id: "a" }, { type: "deleted", id: "a" });
  const late: DeleteEvent[] = [
    { type: "undone", id: "a" },
    { type: "refused", id: "a" },
    { type: "asked", id: "a", now: 9000 },
    { type: "sent", id: "a" },
  ];
  expect(late.reduce(reduce, gone)).toBe(gone);
});

test("events of others, and of nothing, change nothing", () => {
  const pending = after({ type: "asked", id: "a", now: 0 });
  for (const type of ["undone", "sent", "deleted", "refused"] as const) {
    expect(reduce(pending, { type, id: "b" })).toBe(pending);
  }
});
