import { act, screen, waitFor, within } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { beforeEach, expect, test, vi } from "vitest";
import { putConversation } from "@/api/conversation-cache";
import type { ConversationBody } from "@/api/generated";
import { keys } from "@/api/query-keys";
import { usePendingDeletes } from "@/features/conversations/deletions";
import { conversation, problem, service, show, type Asked } from "@/features/conversations/fixtures";
import { NONE } from "@/features/conversations/pending-deletes";
import { Sidebar } from "@/features/conversations/sidebar";
import { hideToast } from "@/ui/toast";

beforeEach(() => {
  usePendingDeletes.setState({ pending: NONE });
  for (const what of ["delete", "archive", "change"]) for (const id of "ab") hideToast(`${what}-${id}`);
  return () => vi.useRealTimers();
});

interface Situation {
  items?: ConversationBody[];
  archived?: ConversationBody[];
  change?: (asked: Asked) => unknown;
  path?: string;
}

/** The list, over a service that has these conversations and keeps what is changed. */
async function open({ items = [], archived = [], change, path = "/" }: Situation) {
  let all = [...items, ...archived.map((item) => ({ ...item, archived: true }))];
  const asked = service((asked) => {
    const { pathname, searchParams } = new URL(asked.path, "http://service");
    if (asked.method === "GET") {
      const of = (name: "archived" | "pinned", item: ConversationBody) =>
        !searchParams.has(name) || searchParams.get(name) === String(item[name]);
      return { items: all.filter((item) => of("archived", item) && of("pinned", item)) };
    }
    const id = pathname.split("/").at(-1);
    const answer = change?.(asked);
    if (answer instanceof Response) return answer;
    all = all.map((item) => (item.id === id ? { ...item, ...(asked.body as object) } : item));
    return all.find((item) => item.id === id);
  });
  const { router, queries } = await show(<Sidebar footer={<p>footer</p>} />, path);
  return { router, queries, changes: () => asked.filter(({ method }) => method !== "GET") };
}

async function choose(title: string, item: string) {
  await userEvent.click(await screen.findByRole("button", { name: `Menu of “\u2068${title}\u2069”` }));
  await userEvent.click(await screen.findByRole("menuitem", { name: new RegExp(`^${item}`) }));
}

test("the one that is open is marked, also at a message of it", async () => {
  await open({ items: [conversation("a"), conversation("b")], path: "/c/b?message=m" });
  const links = await screen.findAllByRole("link", { name: /^Title/ });
  expect(links.map((link) => link.getAttribute("aria-current"))).toEqual(
    links.map((link) => (link.textContent === "Title of b" ? "page" : null)),
  );
});

test("an answer that is being written is told by a dot with a name", async () => {
  await open({ items: [conversation("a", { live: true }), conversation("b")] });
  const [live, ...others] = await screen.findAllByRole("img", { name: "An answer is being written" });
  expect(live?.closest("a")?.textContent).toBe("Title of a");
  expect(others).toEqual([]);
});

test("at midnight, today becomes yesterday", async () => {
  vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout"], now: new Date(2026, 2, 10, 23, 59, 58), shouldAdvanceTime: true });
  await open({ items: [conversation("a", { updated_at: new Date(2026, 2, 10, 9).toISOString() })] });
  expect(await screen.findByRole("region", { name: "Today" })).toBeTruthy();
  await act(() => vi.advanceTimersByTimeAsync(3000));
  expect(screen.getByRole("region", { name: "Yesterday" })).toBeTruthy();
  expect(screen.queryByRole("region", { name: "Today" })).toBeNull();
});

test("pinned ones stand under their own heading", async () => {
  await open({ items: [conversation("a", { pinned: true }), conversation("b")] });
  const region = await screen.findByRole("region", { name: "Pinned" });
  expect(within(region).getAllByRole("link").map((link) => link.textContent)).toEqual(["Title of a"]);
});

test("no conversations, no archived ones: a sentence each", async () => {
  await open({});
  expect(await screen.findByText("What you ask will be kept here.")).toBeTruthy();
  await userEvent.click(screen.getByRole("button", { name: "Archived" }));
  expect(await screen.findByText("Nothing is archived.")).toBeTruthy();
});

test("a list that cannot be read says so, and trying again reads it", async () => {
  let works = false;
  service(({ path }) => {
    if (!works) return problem(503, "draining", "The service is shutting down.");
    return { items: path.includes("pinned=false") ? [conversation("a")] : [] };
  });
  await show(<Sidebar />);
  await screen.findByRole("alert");
  works = true;
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByRole("link", { name: "Title of a" })).toBeTruthy();
  expect(screen.queryByRole("alert")).toBeNull();
});

test("a name is changed in its place", async () => {
  const { changes } = await open({ items: [conversation("a")] });
  await choose("Title of a", "Rename");
  await screen.findByRole("textbox");
  await userEvent.keyboard("New{Enter}");
  expect(document.activeElement).toBe(await screen.findByRole("link", { name: "New" }));
  expect(changes()).toMatchObject([{ method: "PATCH", path: "/api/conversations/a", body: { title: "New" } }]);
});

test("a change that is refused is told, and taken back", async () => {
  await open({ items: [conversation("a")], change: () => problem(507, "storage_full", "There is no room.") });
  await choose("Title of a", "Pin");
  expect(await screen.findByText(/could not be changed\. \S/)).toBeTruthy();
  await waitFor(() => expect(screen.queryByRole("region", { name: "Pinned" })).toBeNull());
});

test("an archived one leaves the list, and Undo brings it back", async () => {
  const { changes } = await open({ items: [conversation("a"), conversation("b")] });
  await choose("Title of a", "Archive");
  await waitFor(() => expect(screen.queryByRole("link", { name: "Title of a" })).toBeNull());
  await userEvent.click(await screen.findByRole("button", { name: "Undo" }));
  expect(await screen.findByRole("link", { name: "Title of a" })).toBeTruthy();
  expect(changes().map(({ body }) => body)).toEqual([{ archived: true }, { archived: false }]);
});

test("archived ones have a list of their own, from which they come back", async () => {
  await open({ archived: [conversation("a")] });
  await userEvent.click(await screen.findByRole("button", { name: "Archived" }));
  await choose("Title of a", "Move back");
  expect(await screen.findByText("Nothing is archived.")).toBeTruthy();
  await userEvent.click(screen.getByRole("button", { name: "Back to all conversations" }));
  expect(await screen.findByRole("link", { name: "Title of a" })).toBeTruthy();
});

test("one that is open is left when it is deleted, and Undo brings it back", async () => {
  const { router, changes } = await open({ items: [conversation("a"), conversation("b")], path: "/c/a" });
  await choose("Title of a", "Delete");
  await waitFor(() => expect(router.state.location.pathname).toBe("/"));
  expect(screen.queryByRole("link", { name: "Title of a" })).toBeNull();
  await userEvent.click(screen.getByRole("button", { name: "Undo" }));
  expect(await screen.findByRole("link", { name: "Title of a" })).toBeTruthy();
  expect(changes()).toEqual([]);
});

test.each(["Delete", "Archive", "Pin"])("after “%s” the focus is on the next one", async (item) => {
  await open({ items: [conversation("a"), conversation("b"), conversation("c")] });
  await choose("Title of b", item);
  const next = screen.getByRole("link", { name: "Title of c" });
  await waitFor(() => expect(document.activeElement).toBe(next));
  await waitFor(() => expect(next.closest("li")?.previousElementSibling?.textContent).toBe("Title of a"));
  expect(document.activeElement).toBe(next);
});

test("what is read anew or heard meanwhile does not bring back what is being deleted", async () => {
  const { queries } = await open({ items: [conversation("a"), conversation("b")] });
  await choose("Title of a", "Delete");
  await queries.refetchQueries({ queryKey: keys.conversationLists });
  act(() => putConversation(queries, conversation("a", { live: true })));
  act(() => putConversation(queries, conversation("b", { live: true })));
  await screen.findByRole("img", { name: "An answer is being written" });
  expect(screen.queryByRole("link", { name: "Title of a" })).toBeNull();
  expect(screen.getByRole("link", { name: /^Title of b/ })).toBeTruthy();
});
