import { beforeEach, expect, test, vi } from "vitest";
import { deleteWithUndo, usePendingDeletes } from "@/features/conversations/deletions";
import { problem, service } from "@/features/conversations/fixtures";
import { NONE, UNDO_SECONDS } from "@/features/conversations/pending-deletes";
import * as toasts from "@/ui/toast";

const SPAN = UNDO_SECONDS * 1000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  usePendingDeletes.setState({ pending: NONE });
  return () => vi.useRealTimers();
});

/** The conversations that no list shows. */
function hidden(): string[] {
  return [...usePendingDeletes.getState().pending.keys()];
}

/** What the next messages say, and a way to press their buttons. */
function listen() {
  const show = vi.spyOn(toasts, "showToast");
  const toast = (id: string) => show.mock.calls.findLast(([toast]) => toast.id === `delete-${id}`)?.[0];
  return { text: (id: string) => toast(id)?.text, undo: (id: string) => toast(id)?.action?.onAction() };
}

test("it is hidden at once and deleted after seven seconds", async () => {
  const asked = service(() => undefined);
  deleteWithUndo("a", "Mine");
  expect(hidden()).toEqual(["a"]);
  await vi.advanceTimersByTimeAsync(SPAN - 1);
  expect(asked).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(asked).toMatchObject([{ method: "DELETE", path: "/api/conversations/a", keepalive: false }]);
  expect(hidden()).toEqual(["a"]);
});

test("several in a row have seven seconds each, and each its own Undo", async () => {
  const asked = service(() => undefined);
  const said = listen();
  deleteWithUndo("a", "A");
  await vi.advanceTimersByTimeAsync(2000);
  deleteWithUndo("b", "B");
  await vi.advanceTimersByTimeAsync(2000);
  deleteWithUndo("c", "C");
  said.undo("b");
  expect(hidden()).toEqual(["a", "c"]);
  await vi.advanceTimersByTimeAsync(SPAN - 4000);
  expect(asked.map(({ path }) => path)).toEqual(["/api/conversations/a"]);
  await vi.advanceTimersByTimeAsync(4000);
  expect(asked.map(({ path }) => path)).toEqual(["/api/conversations/a", "/api/conversations/c"]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toHaveLength(2);
});

test("a page that goes sends them at once, by requests that outlive it, and only once", async () => {
  const asked = service(() => undefined);
  deleteWithUndo("a", "A");
  deleteWithUndo("b", "B");
  dispatchEvent(new Event("pagehide"));
  expect(asked).toMatchObject([
    { method: "DELETE", path: "/api/conversations/a", keepalive: true },
    { method: "DELETE", path: "/api/conversations/b", keepalive: true },
  ]);
  dispatchEvent(new Event("pagehide"));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toHaveLength(2);
});

test("one that was undone is not sent when the page goes", () => {
  const asked = service(() => undefined);
  const said = listen();
  deleteWithUndo("a", "A");
  said.undo("a");
  dispatchEvent(new Event("pagehide"));
  expect(asked).toEqual([]);
});

test("a failure brings it back, with a sentence", async () => {
  service(() => problem(507, "storage_full", "There is no room."));
  const said = listen();
  deleteWithUndo("a", "Mine");
  await vi.advanceTimersByTimeAsync(SPAN);
  expect(hidden()).toEqual([]);
  expect(said.text("a")).toMatch(/^“\u2068Mine\u2069” could not be deleted and is back in the list\. \S/);
});

test("one that somebody else deleted meanwhile stays away", async () => {
  service(() => problem(404, "conversation_not_found", "There is no such conversation."));
  deleteWithUndo("a", "Mine");
  await vi.advanceTimersByTimeAsync(SPAN);
  expect(hidden()).toEqual(["a"]);
});
