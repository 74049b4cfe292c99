import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, renderHook, waitFor } from "@testing-library/react";
import type { ReactNode } from "react";
import { expect, it, onTestFinished, vi } from "vitest";
import { applyChange } from "@/api/change-cache";
import type { MessageBody } from "@/api/generated";
import { keys } from "@/api/query-keys";
import { problem, RUN_ID } from "@/api/scripted-service";
import { useConversation } from "@/features/chat/use-conversation";

const CONVERSATION = { id: "c1", title: "", temporary: false, archived: false, pinned: false, updated_at: "1", head_id: null };

function answer(status: "running" | "completed"): MessageBody {
  const text = status === "completed" ? "whole" : "";
  return { id: "a", role: "assistant", parent_id: null, parts: [{ type: "text", text }], siblings: ["a"], created_at: "", run_id: RUN_ID, status };
}

it.each(["running", "completed"] as const)("of a conversation that is deleted while its answer is %s nothing is shown", async (status) => {
  vi.stubGlobal("fetch", async (path: string, { signal }: RequestInit) => {
    if (!path.includes("/events")) return problem({ status: 404, code: "conversation_not_found" });
    return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason as Error))); // an answer that says nothing
  });
  onTestFinished(() => void vi.unstubAllGlobals());
  const client = new QueryClient({ defaultOptions: { queries: { retry: false, staleTime: 60_000 } } });
  client.setQueryData(keys.conversation("c1"), CONVERSATION);
  client.setQueryData(keys.messages("c1"), { items: [answer(status)], next: null });
  const wrapper = ({ children }: { children: ReactNode }) => <QueryClientProvider client={client}>{children}</QueryClientProvider>;
  const { result } = renderHook(() => useConversation("c1"), { wrapper });
  expect(result.current).toMatchObject({ phase: "ready", busy: status === "running", entries: [{ id: "a" }] });
  act(() => applyChange(client, { type: "conversation.deleted", conversation_id: "c1" }));
  await waitFor(() => expect(result.current.phase).toBe("missing"));
  expect(result.current).toMatchObject({ entries: [], busy: false });
});
