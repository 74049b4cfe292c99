import { QueryClient } from "@tanstack/react-query";
import { afterEach, expect, it, vi } from "vitest";
import { messagesQuery, readEnd } from "@/features/chat/messages-query";

afterEach(() => vi.unstubAllGlobals());

it("does not take an answer for the newest that was asked for before", async () => {
  const answers: ((status: string) => void)[] = [];
  vi.stubGlobal("fetch", () => {
    const { promise, resolve } = Promise.withResolvers<Response>();
    answers.push((status) => resolve(Response.json({ items: [{ id: "a", role: "assistant", parts: [], status }], next: null })));
    return promise;
  });
  const queries = new QueryClient();
  const earlier = queries.fetchQuery(messagesQuery("c1"));
  const now = readEnd(queries, "c1");
  answers[0]?.("running");
  await earlier;
  await vi.waitFor(() => expect(answers).toHaveLength(2));
  answers[1]?.("completed");
  expect((await now).items[0]?.status).toBe("completed");
});
