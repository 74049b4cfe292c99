import { createMemoryHistory } from "@tanstack/react-router";
import { afterEach, expect, test, vi } from "vitest";
import { queries } from "@/app/queries";
import { router } from "@/app/router";

const ann = { id: "a", name: "ann", role: "user", suspended: false, created_at: "2026-11-25T00:00:00Z", limits: {} };

function service(me: object | null): void {
  const refused = { title: "Unauthorized", status: 401, detail: "Sign in first.", code: "not_signed_in" };
  vi.stubGlobal("fetch", async (path: string) => {
    if (path === "/api/auth") return Response.json({ accounts: true, sign_up: "open", oidc: null });
    if (me) return Response.json(me);
    return Response.json(refused, { status: 401, headers: { "Content-Type": "application/problem+json" } });
  });
}

/** Where one is who opens `address`. */
async function open(address: string) {
  queries.clear();
  router.update({ ...router.options, history: createMemoryHistory({ initialEntries: [address] }) });
  await router.load();
  return router.state.location;
}

afterEach(() => vi.unstubAllGlobals());

test("a link to the door can name a place of ours to go on to", async () => {
  service(null);
  await open("/sign-in?next=%2Fc%2Fx%3Fmessage%3Dy");
  expect(router.state.matches.at(-1)?.search).toMatchObject({ next: "/c/x?message=y" });
});

test.each(["//evil.test", "/.//evil.test", "https://evil.test/"])("it cannot name %s", async (next) => {
  service(null);
  await open(`/sign-in?next=${encodeURIComponent(next)}`);
  expect(router.state.matches.at(-1)?.search).toMatchObject({ next: undefined });

  service(ann);
  expect((await open(`/sign-up?next=${encodeURIComponent(next)}`)).href).toBe("/");
});

test("a stranger is led from a page to the door, and whoever is in from the door to the page", async () => {
  service(null);
  expect((await open("/c/x?message=y")).href).toBe("/sign-in?next=%2Fc%2Fx%3Fmessage%3Dy");
  service(ann);
  expect((await open("/sign-in?next=%2Fc%2Fx%3Fmessage%3Dy")).href).toBe("/c/x?message=y");
});
