import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, renderHook } from "@testing-library/react";
import { StrictMode, type ReactNode } from "react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { MessageBody } from "@/api/generated";
import { ANSWER, ANSWER_ID, problem, RUN_ID, ScriptedService, type Asked } from "@/api/scripted-service";
import type { Chat } from "@/features/chat/use-conversation";

const CONVERSATION = { id: "c1", title: "", temporary: false, archived: false, pinned: false, updated_at: "1", head_id: null };

let service: ScriptedService;
let earlier: MessageBody[];
let created: number;
let unmount: () => void = () => {};

beforeEach(() => {
  vi.useFakeTimers();
  service = new ScriptedService();
  service.otherwise = answer;
  earlier = [];
  created = 0;
  vi.stubGlobal("fetch", service.fetch);
});

afterEach(async () => {
  unmount();
  await vi.advanceTimersByTimeAsync(10_000);
  sessionStorage.clear();
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.resetModules();
});

function message(id: string, role: "user" | "assistant", parent: string | null, more: Partial<MessageBody> = {}): MessageBody {
  return { id, role, parent_id: parent, parts: [{ type: "text", text: id }], siblings: [id], created_at: "", ...more };
}

/** The branch as the service has it: what was bought is in it at once, and saved once it was told. */
function branch(): MessageBody[] {
  if (service.bought.length === 0) return earlier;
  const parts = ANSWER.map(({ kind, text }) => ({ type: kind, text }));
  const state = service.told ? { status: "completed" as const, parts } : { status: "running" as const, parts: [] };
  const question = message("q", "user", earlier.at(-1)?.id ?? null);
  return [...earlier, question, message(ANSWER_ID, "assistant", "q", { run_id: RUN_ID, ...state })];
}

function answer({ method, path }: Asked): unknown {
  if (method === "POST" && path === "/api/conversations") created += 1;
  if (path.includes("/messages")) return { items: branch(), next: null };
  return CONVERSATION;
}

/** A page that was just loaded: nothing in memory but what the tab's storage gives back. */
async function load(conversationId?: string) {
  unmount();
  vi.clearAllTimers(); // of the page that was there before
  vi.resetModules();
  const { useConversation } = await import("@/features/chat/use-conversation");
  const { useRun } = await import("@/features/chat/live-runs");
  const client = new QueryClient({ defaultOptions: { queries: { retry: false, staleTime: 60_000 } } });
  const seen: string[] = [];
  const onCreated = vi.fn<(id: string) => void>();
  const wrapper = ({ children }: { children: ReactNode }) => (
    <StrictMode>
      <QueryClientProvider client={client}>{children}</QueryClientProvider>
    </StrictMode>
  );
  const page = renderHook(
    () => {
      const chat = useConversation(conversationId, { onCreated });
      const run = useRun(chat.entries.at(-1)?.runId ?? RUN_ID);
      seen.push(shown(chat, run.transcript.parts.map(({ text }) => text).join("|")));
      return chat;
    },
    { wrapper },
  );
  unmount = page.unmount;
  await pass(10);
  return { chat: () => page.result.current, seen, onCreated };
}

/** What a person sees, in one line. */
function shown({ entries }: Chat, live: string): string {
  return entries
    .map(({ role, state, parts }) => `${role}(${state}): ${state === "live" ? live : parts.map(({ text }) => text).join("|")}`)
    .join(" / ");
}

async function pass(milliseconds: number): Promise<void> {
  await act(() => vi.advanceTimersByTimeAsync(milliseconds));
}

const SAID = ANSWER.map(({ text }) => text).join("|");

describe("a question", () => {
  it("is shown at once, answered and saved, without a gap", async () => {
    const { chat, seen } = await load("c1");
    act(() => chat().ask("안녕?"));
    expect(seen.at(-1)).toBe("user(sending): 안녕?");
    await pass(5000);
    expect(seen.at(-1)).toBe(`user(done): q / assistant(done): ${SAID}`);
    expect(chat()).toMatchObject({ busy: false, phase: "ready" });
    const answers = seen.filter((line) => line.includes("assistant")).map((line) => line.split(": ").at(-1) ?? "");
    const shrunk = answers.filter((line, at) => at > 0 && line.length < (answers[at - 1]?.length ?? 0));
    expect(shrunk).toEqual([]);
    expect(seen.filter((line) => line.split("user(").length > 2)).toEqual([]);
  });

  it("is asked once, however often it is clicked", async () => {
    const { chat } = await load("c1");
    act(() => {
      chat().ask("?");
      chat().ask("?");
    });
    act(() => chat().ask("?"));
    await pass(5000);
    expect(service.bought).toHaveLength(1);
    expect(service.asked).toHaveLength(1);
  });

  it("survives a reload before it was accepted, and is bought once", async () => {
    service.fates.push("lost", "unreachable", "unreachable");
    const before = await load("c1");
    act(() => before.chat().ask("?"));
    await pass(100);
    const { chat, seen } = await load("c1");
    await pass(10_000);
    expect(seen.at(-1)).toBe(`user(done): q / assistant(done): ${SAID}`);
    expect(service.bought).toHaveLength(1);
    expect(new Set(service.asked.flatMap(({ key }) => key ?? [])).size).toBe(1);
    expect(chat().busy).toBe(false);
  });

  it("that begins a conversation creates one, goes there, and stays on the screen meanwhile", async () => {
    const { chat, seen, onCreated } = await load();
    expect(chat().phase).toBe("new");
    act(() => chat().ask("?", { model: "m" }));
    await pass(5000);
    expect(created).toBe(1);
    expect(onCreated).toHaveBeenCalledExactlyOnceWith("c1");
    expect(seen.slice(seen.findIndex((line) => line !== "")).filter((line) => line === "")).toEqual([]);
    expect(service.asked[0]?.body).toEqual({ message: "?", conversation_id: "c1" });
  });

  it("follows the message that was last seen", async () => {
    earlier = [message("a", "user", null), message("b", "assistant", "a", { status: "completed" })];
    const { chat } = await load("c1");
    act(() => chat().ask("?"));
    await pass(5000);
    expect(service.asked[0]?.body).toMatchObject({ parent_id: "b" });
  });

  it("that was refused says why, and is sent again by a new key or taken back", async () => {
    service.fates.push({ status: 429, code: "too_many_requests" }, { status: 429, code: "too_many_requests" });
    const { chat } = await load("c1");
    act(() => chat().ask("?"));
    await pass(1000);
    expect(chat().entries).toMatchObject([{ state: "unsent", problem: { code: "too_many_requests" } }]);
    expect(chat().busy).toBe(false);
    act(() => chat().resend(chat().entries[0]?.id ?? ""));
    await pass(1000);
    expect(new Set(service.asked.map(({ key }) => key)).size).toBe(2);
    act(() => chat().discard(chat().entries[0]?.id ?? ""));
    expect(chat().entries).toEqual([]);
    expect(sessionStorage.getItem("pending-asks")).not.toContain("?");
  });

  it("that never reached the service is sent again by the same key", async () => {
    service.fates.push(...Array.from({ length: 12 }, () => "unreachable" as const));
    const { chat } = await load("c1");
    act(() => chat().ask("?"));
    await pass(1000);
    act(() => chat().stop());
    expect(chat().entries).toMatchObject([{ state: "unsent", problem: { code: "unreachable" } }]);
    service.fates.length = 0;
    act(() => chat().resend(chat().entries[0]?.id ?? ""));
    await pass(5000);
    expect(new Set(service.asked.map(({ key }) => key)).size).toBe(1);
    expect(service.bought).toHaveLength(1);
  });
});

describe("an answer", () => {
  it("that is being written is found after a reload", async () => {
    service.bought.push("earlier");
    const { chat, seen } = await load("c1");
    expect(service.asked.map(({ method }) => method)).toEqual(["GET"]);
    await pass(5000);
    expect(seen.at(-1)).toBe(`user(done): q / assistant(done): ${SAID}`);
    expect(chat().busy).toBe(false);
  });

  it("can be stopped, also before it was accepted", async () => {
    service.fates.push({ after: 300, by: "silence" });
    const { chat } = await load("c1");
    act(() => {
      chat().ask("?");
    });
    act(() => chat().stop());
    await pass(100);
    expect(service.cancelled).toEqual([`/api/runs/${RUN_ID}/cancel`]);
    act(() => chat().stop());
    await pass(100);
    expect(service.cancelled).toHaveLength(2);
  });

  it("is written again beside the one there is, which stands until then", async () => {
    earlier = [message("a", "user", null), message("b", "assistant", "a", { status: "completed" })];
    service.fates.push("unreachable");
    const { chat, seen } = await load("c1");
    act(() => chat().retry("b"));
    expect(chat().busy).toBe(true);
    expect(seen.at(-1)).toBe("user(done): a / assistant(done): b");
    await pass(5000);
    expect(service.asked[0]?.path).toBe("/api/conversations/c1/messages/b/regenerate?format=ui");
  });

  it("of an edited question takes the place of what followed it", async () => {
    earlier = [message("a", "user", null), message("b", "assistant", "a", { status: "completed" })];
    const { chat, seen } = await load("c1");
    act(() => chat().edit("a", "새 질문"));
    expect(seen.at(-1)).toBe("user(sending): 새 질문");
    await pass(5000);
    expect(service.asked[0]).toMatchObject({ path: "/api/conversations/c1/messages/a/edit?format=ui", body: { message: "새 질문" } });
  });

  it("keeps the identity of every entry that did not change", async () => {
    earlier = [message("a", "user", null), message("b", "assistant", "a", { status: "completed" })];
    const { chat } = await load("c1");
    const before = chat().entries;
    act(() => chat().ask("?"));
    await pass(5000);
    expect(chat().entries.slice(0, 2).map((entry, at) => entry === before[at])).toEqual([true, true]);
  });
});

describe("a conversation", () => {
  it("that is not there is missing", async () => {
    service.otherwise = () => problem({ status: 404, code: "conversation_not_found" });
    expect((await load("c1")).chat().phase).toBe("missing");
  });

  it("that cannot be read says why", async () => {
    service.otherwise = () => problem({ status: 503, code: "storage_unavailable" });
    expect((await load("c1")).chat()).toMatchObject({ phase: "failed", problem: { code: "storage_unavailable" } });
  });
});
