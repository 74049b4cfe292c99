import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";
import { meQuery } from "@/api/accounts";
import type { KeyBody, UserBody } from "@/api/generated";
import KeysSection from "@/features/settings/keys-section";

const KEY = "sk-chat-shown-this-once";
const ann: UserBody = { id: "a", name: "ann", role: "user", suspended: false, created_at: "2026-11-25T00:00:00Z", limits: {} };

/** A service that makes and revokes keys; what it was asked is in the list that it returns. */
function service(): string[] {
  const kept: KeyBody[] = [];
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (path: string, { method = "GET", body }: { method?: string; body?: string }) => {
    asked.push(`${method} ${path}`);
    if (method === "POST") {
      const { name, scopes } = JSON.parse(body ?? "") as Pick<KeyBody, "name" | "scopes">;
      const key = { id: "k1", name, scopes, prefix: "sk-chat-show", created_at: "2026-11-25T00:00:00Z", used_at: null, limits: {} };
      kept.push(key);
      return Response.json({ ...key, key: KEY }, { status: 201 });
    }
    if (method === "DELETE") {
      kept.pop();
      return new Response(null, { status: 204 });
    }
    return Response.json({ items: kept, next: null });
  });
  return asked;
}

function show(): QueryClient {
  const queries = new QueryClient();
  queries.setQueryData(meQuery.queryKey, ann);
  render(
    <QueryClientProvider client={queries}>
      <KeysSection />
    </QueryClientProvider>,
  );
  return queries;
}

afterEach(() => vi.unstubAllGlobals());

test("a new key is shown once, and nothing keeps it", async () => {
  service();
  const user = userEvent.setup();
  const queries = show();
  await user.click(await screen.findByRole("button", { name: "New key" }));
  await user.type(screen.getByLabelText("What it is for"), "laptop");
  expect(screen.queryByLabelText("Administer")).toBeNull();
  await user.click(screen.getByRole("button", { name: "Make the key" }));
  expect(await screen.findByDisplayValue(KEY)).toBeDefined();

  await user.click(screen.getByRole("button", { name: "I have copied it" }));
  await waitFor(() => expect(screen.queryByDisplayValue(KEY)).toBeNull());
  expect(screen.getByText("laptop")).toBeDefined();
  await waitFor(() => expect(queries.getMutationCache().getAll()).toEqual([]));
});

test("a key is revoked only after one has said so", async () => {
  const asked = service();
  const user = userEvent.setup();
  show();
  await user.click(await screen.findByRole("button", { name: "New key" }));
  await user.type(screen.getByLabelText("What it is for"), "laptop");
  await user.click(screen.getByRole("button", { name: "Make the key" }));
  await user.click(await screen.findByRole("button", { name: "I have copied it" }));

  await user.click(await screen.findByRole("button", { name: "Revoke laptop" }));
  await user.click(await screen.findByRole("button", { name: "Cancel" }));
  expect(asked).not.toContain("DELETE /api/keys/k1");
  await user.click(await screen.findByRole("button", { name: "Revoke laptop" }));
  await user.click(await screen.findByRole("button", { name: "Revoke" }));
  expect(await screen.findByText("There are no keys yet.")).toBeDefined();
  expect(asked).toContain("DELETE /api/keys/k1");
});
