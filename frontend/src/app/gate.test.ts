import { QueryClient } from "@tanstack/react-query";
import { isRedirect } from "@tanstack/react-router";
import { afterEach, expect, test, vi } from "vitest";
import { doorOf, guardDoor, guardPage } from "@/app/gate";
import type { UserBody, WayIn } from "@/api/generated";

const ann: UserBody = { id: "a", name: "ann", role: "user", suspended: false, created_at: "2026-11-25T00:00:00Z", limits: {} };

function way(accounts: boolean, signUp: WayIn["sign_up"]): WayIn {
  return { accounts, sign_up: signUp, oidc: null };
}

/** A service where `me` is signed in. */
function service(answer: WayIn, me: UserBody | null): void {
  const problem = { title: "Unauthorized", status: 401, detail: "Sign in first.", code: "not_signed_in" };
  vi.stubGlobal("fetch", async (path: string) => {
    if (path === "/api/auth") return Response.json(answer);
    if (me) return Response.json(me);
    return Response.json(problem, { status: 401, headers: { "Content-Type": "application/problem+json" } });
  });
}

/** Where a guard sends one; undefined: nowhere. */
async function sentTo(guard: Promise<void>): Promise<unknown> {
  try {
    await guard;
    return undefined;
  } catch (thrown) {
    if (!isRedirect(thrown)) throw thrown;
    const { to, href, search } = thrown.options;
    return href ?? { to, search };
  }
}

afterEach(() => vi.unstubAllGlobals());

test("without accounts everybody comes straight in", () => {
  expect(doorOf(way(false, "none"), null)).toBe("page");
});

test("with accounts one signs in, and the very first makes the account", () => {
  expect(doorOf(way(true, "invitation"), null)).toBe("sign-in");
  expect(doorOf(way(true, "first"), null)).toBe("sign-up");
  expect(doorOf(way(true, "invitation"), ann)).toBe("page");
});

test("a stranger is led to the door, and told where to go on to", async () => {
  service(way(true, "open"), null);
  expect(await sentTo(guardPage(new QueryClient(), "/c/x?message=1"))).toEqual({ to: "/sign-in", search: { next: "/c/x?message=1" } });
  service(way(true, "first"), null);
  expect(await sentTo(guardPage(new QueryClient(), "/"))).toEqual({ to: "/sign-up", search: {} });
});

test("whoever is in passes, and asks only once", async () => {
  service(way(true, "open"), ann);
  const queries = new QueryClient();
  expect(await sentTo(guardPage(queries, "/"))).toBeUndefined();
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("no network")));
  expect(await sentTo(guardPage(queries, "/c/x"))).toBeUndefined();
});

test("at the door whoever is in goes on", async () => {
  service(way(true, "open"), ann);
  expect(await sentTo(guardDoor(new QueryClient(), "sign-in", "/c/x"))).toBe("/c/x");
  service(way(false, "none"), null);
  expect(await sentTo(guardDoor(new QueryClient(), "sign-up", undefined))).toBe("/");
});

test("at the door the very first is sent to make the account", async () => {
  service(way(true, "first"), null);
  expect(await sentTo(guardDoor(new QueryClient(), "sign-in", "/c/x"))).toEqual({ to: "/sign-up", search: { next: "/c/x" } });
  expect(await sentTo(guardDoor(new QueryClient(), "sign-up", undefined))).toBeUndefined();
});
