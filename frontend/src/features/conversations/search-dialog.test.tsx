import { fireEvent, screen, waitFor } from "@testing-library/react";
import { userEvent } from "@testing-library/user-event";
import { beforeEach, expect, test } from "vitest";
import type { FoundBody } from "@/api/generated";
import { deleteWithUndo, usePendingDeletes } from "@/features/conversations/deletions";
import { conversation, problem, service, show } from "@/features/conversations/fixtures";
import { NONE } from "@/features/conversations/pending-deletes";
import SearchDialog from "@/features/conversations/search-dialog";
import { openPanel, usePanels } from "@/lib/panels";

const ANSWER: FoundBody = {
  conversation_id: "a",
  title: "Palaces",
  message_id: "m1",
  snippet: "…the <b>palace</b> of Seoul…",
  created_at: "2026-03-01T00:00:00Z",
};
const TITLE: FoundBody = { ...ANSWER, conversation_id: "b", title: "A palace", message_id: null, snippet: "A palace" };

beforeEach(() => {
  usePendingDeletes.setState({ pending: NONE });
  openPanel("search");
});

/** The dialog, over a service that finds `found` for "palace" and has two recent conversations. */
async function open(found: (query: string) => unknown = (query) => ({ items: query === "palace" ? [ANSWER, TITLE] : [] })) {
  const asked = service(({ path }) => {
    const { pathname, searchParams } = new URL(path, "http://service");
    if (pathname === "/api/search") return found(searchParams.get("q") ?? "");
    return { items: [conversation("r1"), conversation("r2")] };
  });
  const { router } = await show(<SearchDialog />);
  const field = await screen.findByRole("combobox");
  return { field, router, queries: () => asked.filter(({ path }) => path.startsWith("/api/search")) };
}

/** The names of the options, the chosen one with a star. */
function options(): string[] {
  return screen.queryAllByRole("option").map((option) => {
    const star = option.getAttribute("aria-selected") === "true" ? "*" : "";
    return star + (option.firstElementChild?.firstElementChild?.textContent ?? "");
  });
}

test("the field has the focus, and what was talked about last is offered", async () => {
  const { field } = await open();
  await waitFor(() => expect(options()).toEqual(["*Title of r1", "Title of r2"]));
  expect(document.activeElement).toBe(field);
});

test("as one types quickly, the service is asked once", async () => {
  const { field, queries } = await open();
  await userEvent.type(field, "palace");
  await waitFor(() => expect(options()).toEqual(["*Palaces", "A palace"]));
  expect(queries().map(({ path }) => path)).toEqual(["/api/search?q=palace&limit=30"]);
});

test("a question that nobody waits for any more is aborted", async () => {
  const { field, queries } = await open((query) => (query === "palace" ? { items: [ANSWER] } : new Promise(() => {})));
  await userEvent.type(field, "pal");
  await waitFor(() => expect(queries()).toHaveLength(1));
  await userEvent.type(field, "ace");
  await waitFor(() => expect(options()).toEqual(["*Palaces"]));
  expect(queries()[0]?.signal?.aborted).toBe(true);
});

test("the arrows choose, around the ends, and the field names what is chosen", async () => {
  const { field } = await open();
  await userEvent.type(field, "palace");
  await waitFor(() => expect(options()).toEqual(["*Palaces", "A palace"]));
  await userEvent.keyboard("{ArrowDown}");
  expect(options()).toEqual(["Palaces", "*A palace"]);
  expect(screen.getByRole("option", { selected: true }).id).toBe(field.getAttribute("aria-activedescendant"));
  await userEvent.keyboard("{ArrowDown}");
  expect(options()).toEqual(["*Palaces", "A palace"]);
  await userEvent.keyboard("{ArrowUp}");
  expect(options()).toEqual(["Palaces", "*A palace"]);
});

test.each([
  ["a message", "{Enter}", { pathname: "/c/a", search: { message: "m1" } }],
  ["a title", "{ArrowDown}{Enter}", { pathname: "/c/b", search: {} }],
])("Enter opens %s, and the dialog goes", async (_, keys, place) => {
  const { field, router } = await open();
  await userEvent.type(field, "palace");
  await waitFor(() => expect(options()).toEqual(["*Palaces", "A palace"]));
  await userEvent.keyboard(keys);
  await waitFor(() => expect(router.state.location).toMatchObject(place));
  expect(usePanels.getState().panel).toBeNull();
});

test("an Enter of the input method opens nothing", async () => {
  const { field, router } = await open();
  await userEvent.type(field, "palace");
  await waitFor(() => expect(options()).toEqual(["*Palaces", "A palace"]));
  fireEvent.keyDown(field, { key: "Enter", keyCode: 229, isComposing: true });
  fireEvent.keyDown(field, { key: "Enter", keyCode: 229, isComposing: false });
  expect(router.state.location.pathname).toBe("/");
});

test("Enter does not open what was found for another word", async () => {
  const { field, router } = await open();
  await userEvent.type(field, "palace");
  await waitFor(() => expect(options()).toEqual(["*Palaces", "A palace"]));
  await userEvent.type(field, "s{Enter}");
  expect(router.state.location.pathname).toBe("/");
});

test("Escape closes it", async () => {
  await open();
  await userEvent.keyboard("{Escape}");
  await waitFor(() => expect(usePanels.getState().panel).toBeNull());
});

test("the words are marked, and what looks like HTML is text", async () => {
  const { field } = await open();
  await userEvent.type(field, "palace");
  const option = await screen.findByRole("option", { selected: true, name: /Seoul/ });
  expect(option.textContent).toContain("…the <b>palace</b> of Seoul…");
  expect(Array.from(option.querySelectorAll("mark"), (mark) => mark.textContent)).toEqual(["Palace", "palace"]);
  expect(option.querySelector("b")).toBeNull();
});

test("nothing found says so, and what to do", async () => {
  const { field } = await open();
  await userEvent.type(field, "nowhere");
  expect((await screen.findByText(/^Nothing found/)).textContent).toBe("Nothing found for “\u2068nowhere\u2069”");
  expect(screen.getByText(/Try fewer/)).toBeTruthy();
  expect(options()).toEqual([]);
});

test("a failure is a sentence, and trying again helps", async () => {
  let works = false;
  const { field } = await open(() => (works ? { items: [ANSWER] } : problem(503, "draining", "The service is shutting down.")));
  await userEvent.type(field, "palace");
  expect((await screen.findByRole("alert")).textContent).toMatch(/\S/);
  works = true;
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  await waitFor(() => expect(options()).toEqual(["*Palaces"]));
  expect(screen.queryByRole("alert")).toBeNull();
});

test("what is being deleted is not found", async () => {
  const { field } = await open();
  deleteWithUndo("a", "Palaces");
  await userEvent.type(field, "palace");
  await waitFor(() => expect(options()).toEqual(["*A palace"]));
});
