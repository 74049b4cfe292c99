import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { meQuery, wayInQuery } from "@/api/accounts";
import { useConnection } from "@/api/connection";
import type { UserBody } from "@/api/generated";
import SessionDialog from "@/features/account/session-dialog";

const ann: UserBody = { id: "a", name: "ann", role: "user", suspended: false, created_at: "2026-11-25T00:00:00Z", limits: {} };

/** Whoever signs in at this service is `user`. */
function show(user: UserBody): QueryClient {
  vi.stubGlobal("fetch", async () => Response.json(user));
  const queries = new QueryClient();
  queries.setQueryData(meQuery.queryKey, ann);
  queries.setQueryData(wayInQuery.queryKey, { accounts: true, sign_up: "invitation", oidc: "Acme" });
  queries.setQueryData(["conversations"], "ann's");
  render(
    <QueryClientProvider client={queries}>
      <SessionDialog />
    </QueryClientProvider>,
  );
  return queries;
}

async function signIn(): Promise<void> {
  const user = userEvent.setup();
  await user.type(await screen.findByLabelText("Password"), "correct horse");
  await user.click(screen.getByRole("button", { name: "Sign in" }));
}

beforeEach(() => {
  useConnection.setState({ session: "ended" });
  sessionStorage.setItem("draft", "ann's");
  localStorage.setItem("preferences", "{}");
});

afterEach(() => {
  vi.unstubAllGlobals();
  sessionStorage.clear();
  localStorage.clear();
});

test("the same person goes on where they were", async () => {
  const replace = vi.spyOn(location, "replace").mockReturnValue();
  const queries = show(ann);
  expect(await screen.findByDisplayValue("ann")).toBeDefined();
  await signIn();
  await waitFor(() => expect(queries.getQueryState(["conversations"])?.isInvalidated).toBe(true));
  expect(useConnection.getState().session).toBe("open");
  expect(sessionStorage.getItem("draft")).toBe("ann's");
  expect(replace).not.toHaveBeenCalled();
});

test("somebody else starts anew, and finds nothing of the one before", async () => {
  const replace = vi.spyOn(location, "replace").mockReturnValue();
  show({ ...ann, id: "b", name: "ben" });
  await signIn();
  await waitFor(() => expect(replace).toHaveBeenCalledWith("/"));
  expect(sessionStorage.getItem("draft")).toBeNull();
  expect(localStorage.getItem("preferences")).toBe("{}");
});

test("with a provider one signs in in another tab, so that this one stays as it is", async () => {
  show(ann);
  const link = await screen.findByRole("link", { name: "Sign in with Acme" });
  expect(link.getAttribute("target")).toBe("_blank");
  document.dispatchEvent(new Event("visibilitychange"));
  await waitFor(() => expect(useConnection.getState().session).toBe("open"));
});
