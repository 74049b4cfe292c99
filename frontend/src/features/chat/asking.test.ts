import { QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { changeConversation } from "@/api/conversations";
import { ScriptedService, type Asked } from "@/api/scripted-service";
import { discardUnsent, startAsk, stopAsk } from "@/features/chat/asking";
import { usePendingAsks } from "@/features/chat/pending-asks";

let service: ScriptedService;
let away: boolean;

beforeEach(() => {
  vi.useFakeTimers();
  usePendingAsks.setState({ asks: [] });
  service = new ScriptedService();
  away = true;
  service.otherwise = () => {
    if (away) throw new TypeError("Failed to fetch");
    return { id: "c1", title: "", updated_at: "1" };
  };
  vi.stubGlobal("fetch", service.fetch);
  startAsk(new QueryClient(), { kind: "ask", conversationId: null, first: {}, messageId: null, text: "안녕" });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const first = () => usePendingAsks.getState().asks[0];

it("leaves a first question unsent when it is stopped before its conversation could be created", async () => {
  await vi.advanceTimersByTimeAsync(3_000);
  expect(first()?.state).toBe("sending");
  stopAsk(first()?.key ?? "");
  expect(first()).toMatchObject({ state: "unsent", text: "안녕", problem: { code: "unreachable" } });
  away = false;
  await vi.advanceTimersByTimeAsync(20_000);
  expect(service.bought).toEqual([]);
});

it("leaves it unsent too when it was stopped before that was known", async () => {
  stopAsk(first()?.key ?? "");
  await vi.advanceTimersByTimeAsync(3_000);
  expect(first()?.state).toBe("unsent");
});

const afterwards = { kind: "ask", conversationId: "c2", first: null, messageId: null, text: "그럼?" } as const;

/** The service is there, and says `answer` to a change of a conversation. */
function changes(answer: () => unknown): void {
  away = false;
  const before = service.otherwise;
  service.otherwise = (asked: Asked) => {
    if (asked.method === "PATCH") return answer();
    return asked.path.includes("/messages") ? { items: [], next: null } : before?.(asked);
  };
}

const askedIn = (conversationId: string) => usePendingAsks.getState().asks.find((ask) => ask.conversationId === conversationId);
const wasAsked = (conversationId: string) =>
  service.asked.some(({ body }) => typeof body === "object" && body !== null && Object.entries(body).some(([, value]) => value === conversationId));

it("asks only once settings that were saved before are there", async () => {
  const answer = Promise.withResolvers<unknown>();
  changes(() => answer.promise);
  const change = changeConversation("c2", { temperature: 0.2 });
  startAsk(new QueryClient(), afterwards);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(wasAsked("c2")).toBe(false);
  answer.resolve({ id: "c2", title: "", updated_at: "2" });
  await change;
  await vi.advanceTimersByTimeAsync(100);
  expect(wasAsked("c2")).toBe(true);
});

it("asks also when the settings were refused, or have no answer for long", async () => {
  changes(() => {
    throw new TypeError("Failed to fetch");
  });
  await expect(changeConversation("c2", { temperature: 0.2 })).rejects.toThrow("reached");
  startAsk(new QueryClient(), afterwards);
  await vi.advanceTimersByTimeAsync(100);
  expect(wasAsked("c2")).toBe(true);
  changes(() => new Promise(() => undefined));
  void changeConversation("c3", { temperature: 0.2 });
  startAsk(new QueryClient(), { ...afterwards, conversationId: "c3" });
  await vi.advanceTimersByTimeAsync(4_900);
  expect(wasAsked("c3")).toBe(false);
  await vi.advanceTimersByTimeAsync(200);
  expect(wasAsked("c3")).toBe(true);
});

it("gives a question back that is stopped while it waits for settings", async () => {
  changes(() => new Promise(() => undefined));
  void changeConversation("c4", { temperature: 0.2 });
  startAsk(new QueryClient(), { ...afterwards, conversationId: "c4" });
  await vi.advanceTimersByTimeAsync(500);
  stopAsk(askedIn("c4")?.key ?? "");
  expect(askedIn("c4")).toMatchObject({ state: "unsent", text: "그럼?" });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(wasAsked("c4")).toBe(false);
});

it("gives back all that a conversation has unsent, and nothing of another one", async () => {
  changes(() => undefined);
  service.fates.push(...Array.from({ length: 3 }, () => ({ status: 429, code: "too_many_requests" })));
  startAsk(new QueryClient(), { ...afterwards, conversationId: "c5" });
  startAsk(new QueryClient(), { ...afterwards, conversationId: "c6", text: "다른 것" });
  await vi.advanceTimersByTimeAsync(100);
  expect(askedIn("c5")?.state).toBe("unsent");
  expect(discardUnsent("c5")).toEqual(["그럼?"]);
  expect(askedIn("c5")).toBeUndefined();
  expect(askedIn("c6")).toMatchObject({ state: "unsent", text: "다른 것" });
});
