import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createMemoryHistory, createRootRoute, createRoute, createRouter, RouterProvider } from "@tanstack/react-router";
import { act, render } from "@testing-library/react";
import type { ReactNode } from "react";
import { vi } from "vitest";
import type { ConversationBody } from "@/api/generated";
import { Toaster } from "@/ui/toast";

/** For tests: a conversation as the service gives it. */
export function conversation(id: string, more: Partial<ConversationBody> = {}): ConversationBody {
  return {
    id,
    title: `Title of ${id}`,
    model: null,
    system: null,
    temperature: null,
    max_tokens: null,
    temporary: false,
    pinned: false,
    archived: false,
    head_id: null,
    live: false,
    created_at: "2026-03-01T00:00:00Z",
    updated_at: "2026-03-01T00:00:00Z",
    ...more,
  };
}

export interface Asked {
  method: string;
  path: string;
  body: unknown;
  keepalive: boolean;
  signal: AbortSignal | undefined;
}

/** For tests: a service that answers with what `answer` gives, as JSON, or as it is; undefined is 204. What it was asked is returned. */
export function service(answer: (asked: Asked) => unknown): Asked[] {
  const all: Asked[] = [];
  vi.stubGlobal("fetch", async (path: string, init: RequestInit = {}) => {
    const body: unknown = typeof init.body === "string" ? JSON.parse(init.body) : undefined;
    const asked: Asked = {
      method: init.method ?? "GET",
      path,
      body,
      keepalive: init.keepalive ?? false,
      signal: init.signal ?? undefined,
    };
    all.push(asked);
    const value = await answer(asked);
    if (value instanceof Response) return value;
    return value === undefined ? new Response(null, { status: 204 }) : Response.json(value);
  });
  return all;
}

/** For tests: what the service answers instead. */
export function problem(status: number, code: string, detail: string): Response {
  const headers = { "Content-Type": "application/problem+json" };
  return new Response(JSON.stringify({ code, detail, retryable: false }), { status, headers });
}

/** For tests: show something within the page's routes, at `path`. */
export async function show(shown: ReactNode, path = "/") {
  const root = createRootRoute({ component: () => shown });
  const routes = ["/", "/c/$conversationId"].map((path) => createRoute({ getParentRoute: () => root, path }));
  const history = createMemoryHistory({ initialEntries: [path] });
  const router = createRouter({ routeTree: root.addChildren(routes), history });
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  await router.load();
  await act(async () => {
    render(
      <QueryClientProvider client={queries}>
        <RouterProvider router={router as never} />
        <Toaster />
      </QueryClientProvider>,
    );
  });
  return { router, queries };
}
