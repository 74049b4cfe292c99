import { QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ScriptedService } from "@/api/scripted-service";
import { startAsk, stopAsk } from "@/features/chat/asking";
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
