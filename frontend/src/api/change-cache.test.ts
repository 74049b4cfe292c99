import { QueryClient } from "@tanstack/react-query";
import { beforeEach, describe, expect, it } from "vitest";
import { applyChange, readAnew, type Change } from "@/api/change-cache";
import { patchConversation, restoreConversation } from "@/api/conversation-cache";
import type { ConversationBody, RunBody } from "@/api/generated";
import { keys, type ListFilter } from "@/api/query-keys";

function conversation(id: string, day: number, more: Partial<ConversationBody> = {}): ConversationBody {
  const times = { updated_at: `2026-01-0${day}T00:00:00.000Z`, created_at: "" };
  const plain = { title: id, archived: false, pinned: false, temporary: false, live: false, head_id: null };
  return { id, model: null, system: null, temperature: null, max_tokens: null, ...plain, ...times, ...more };
}

const OLD = conversation("old", 1);
const YOUNG = conversation("young", 3);
const ALL = { archived: false };
const PINNED = { archived: false, pinned: true };

let queries: QueryClient;

beforeEach(() => {
  queries = new QueryClient();
  load(ALL, [YOUNG, OLD]);
  load(PINNED, []);
});

function load(filter: ListFilter, items: ConversationBody[], next: string | null = null): void {
  queries.setQueryData(keys.conversations(filter), { pages: [{ items, next }], pageParams: [null] });
}

function listed(filter: ListFilter): string | undefined {
  const list = queries.getQueryData<{ pages: { items: ConversationBody[] }[] }>(keys.conversations(filter));
  return list?.pages.flatMap(({ items }) => items.map(({ id }) => id)).join(" ");
}

/** Begin to read a list of what was there before; the function lets it arrive. */
function reading(filter: ListFilter, items: ConversationBody[]): () => Promise<void> {
  const answer = Promise.withResolvers<{ items: ConversationBody[]; next: null }>();
  const over = queries.fetchInfiniteQuery({
    queryKey: keys.conversations(filter),
    queryFn: () => answer.promise,
    initialPageParam: null,
  });
  return async () => {
    answer.resolve({ items, next: null });
    await over;
  };
}

function updated(body: ConversationBody): Change {
  return { type: "conversation.updated", conversation: body };
}

describe("a list", () => {
  it("has the conversation on top in which something was asked, and its messages read again", () => {
    queries.setQueryData(keys.messages("old"), { items: [], next: null });
    applyChange(queries, { type: "run.started", conversation: conversation("old", 4, { live: true }), run: {} as RunBody });
    expect(listed(ALL)).toBe("old young");
    expect(queries.getQueryState(keys.messages("old"))?.isInvalidated).toBe(true);
  });

  it("gains what was created elsewhere, in its place", () => {
    applyChange(queries, { type: "conversation.created", conversation: conversation("between", 2) });
    expect(listed(ALL)).toBe("young between old");
  });

  it("does not gain what belongs to a page that is not loaded", () => {
    load(ALL, [YOUNG], "further");
    applyChange(queries, updated(OLD));
    expect(listed(ALL)).toBe("young");
  });

  it("loses what was deleted or archived elsewhere, and never has what is temporary", () => {
    applyChange(queries, { type: "conversation.deleted", conversation_id: "old" });
    expect(listed(ALL)).toBe("young");
    applyChange(queries, updated({ ...YOUNG, archived: true }));
    expect(listed(ALL)).toBe("");
    applyChange(queries, updated(conversation("temporary", 5, { temporary: true })));
    expect(listed(ALL)).toBe("");
  });

  it("of what is pinned follows the pin", () => {
    applyChange(queries, updated({ ...OLD, pinned: true }));
    expect([listed(PINNED), listed(ALL)]).toEqual(["old", "young old"]);
    applyChange(queries, updated(OLD));
    expect([listed(PINNED), listed(ALL)]).toEqual(["", "young old"]);
  });
});

describe("what is on its way when a change is heard", () => {
  it("does not undo the change, were it the first reading or a later one", async () => {
    const archive = { archived: true };
    const arrivals = [reading(ALL, [YOUNG, OLD]), reading(archive, [conversation("deleted", 2)])];
    applyChange(queries, { type: "conversation.created", conversation: conversation("newest", 5) });
    applyChange(queries, { type: "conversation.deleted", conversation_id: "deleted" });
    for (const arrive of arrivals) await arrive();
    expect([listed(ALL), listed(archive)]).toEqual(["newest young old", ""]);
  });

  it("is read again once it has come, where something may have been missed", async () => {
    const archive = { archived: true };
    const arrive = reading(archive, []);
    readAnew(queries);
    await arrive();
    expect(queries.getQueryState(keys.conversations(archive))?.isInvalidated).toBe(true);
  });
});

describe("a conversation", () => {
  it("of which another branch is shown elsewhere has its messages read again, and only then", () => {
    queries.setQueryData(keys.messages("old"), { items: [], next: null });
    applyChange(queries, updated({ ...OLD, title: "Old" }));
    expect(queries.getQueryState(keys.messages("old"))?.isInvalidated).toBe(false);
    applyChange(queries, updated({ ...OLD, head_id: "m" }));
    expect(queries.getQueryState(keys.messages("old"))?.isInvalidated).toBe(true);
  });

  it("is changed at once, and what was refused is taken back without what was heard meanwhile", () => {
    const before = patchConversation(queries, "old", { pinned: true });
    expect(listed(PINNED)).toBe("old");
    applyChange(queries, updated({ ...OLD, pinned: true, title: "heard" }));
    if (before) restoreConversation(queries, before, { pinned: true });
    expect(listed(PINNED)).toBe("");
    expect(queries.getQueryData(keys.conversation("old"))).toMatchObject({ title: "heard", pinned: false });
  });
});
