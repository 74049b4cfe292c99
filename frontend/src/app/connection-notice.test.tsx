import { act, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ask } from "@/api/client";
import { sessionOpened, useConnection } from "@/api/connection";
import { watchReach } from "@/api/reach";
import { ConnectionNotice } from "@/app/connection-notice";

const OFFLINE = /^You are offline/;
const AWAY = /^The service cannot be reached/;
const there = async () => Response.json({ status: "healthy" });
const gone = () => Promise.reject(new TypeError("Failed to fetch"));

let stop: () => void;

beforeEach(() => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  useConnection.setState({ reached: true, session: "none" });
  stop = watchReach();
  render(<ConnectionNotice />);
});

afterEach(() => {
  stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function network(online: boolean): void {
  vi.spyOn(navigator, "onLine", "get").mockReturnValue(online);
  act(() => void window.dispatchEvent(new Event(online ? "online" : "offline")));
}

test("a request that does not arrive says so, and the first that does takes it back", async () => {
  vi.stubGlobal("fetch", vi.fn(gone));
  await act(() => ask("/api/models").catch(() => undefined));
  expect(screen.getByText(AWAY)).toBeDefined();

  vi.stubGlobal("fetch", vi.fn(there));
  await act(() => vi.advanceTimersByTimeAsync(1000));
  await waitFor(() => expect(screen.queryByText(AWAY)).toBeNull());
});

test("it is tried again less and less often, and at once when the network is back", async () => {
  const fetch = vi.fn(gone);
  vi.stubGlobal("fetch", fetch);
  await act(() => ask("/api/models").catch(() => undefined));
  await act(() => vi.advanceTimersByTimeAsync(60_000));
  expect(fetch.mock.calls.length).toBeGreaterThan(4);
  expect(fetch.mock.calls.length).toBeLessThan(9);

  vi.stubGlobal("fetch", vi.fn(there));
  network(true);
  await waitFor(() => expect(screen.queryByText(AWAY)).toBeNull());
});

test("offline is said when the browser has no network and requests do not arrive", async () => {
  vi.stubGlobal("fetch", vi.fn(gone));
  network(false);
  expect(await screen.findByText(OFFLINE)).toBeDefined();
});

test("a service on this machine is there without a network, so nothing is said", async () => {
  const fetch = vi.fn(there);
  vi.stubGlobal("fetch", fetch);
  network(false);
  await waitFor(() => expect(fetch).toHaveBeenCalledOnce());
  expect(screen.getByRole("status").textContent).toBe("");
});

test("a refusal is an answer: the service is there", async () => {
  const problem = { title: "Not Found", status: 404, detail: "…", code: "not_found" };
  const headers = { "Content-Type": "application/problem+json" };
  vi.stubGlobal("fetch", async () => Response.json(problem, { status: 404, headers }));
  await act(() => ask("/api/x").catch(() => undefined));
  expect(useConnection.getState().reached).toBe(true);
});

test("a session ends when the service no longer knows who asks, and only then", async () => {
  const headers = { "Content-Type": "application/problem+json" };
  const refuse = (code: string) =>
    vi.stubGlobal("fetch", async () => Response.json({ title: "", status: 401, detail: "…", code }, { status: 401, headers }));
  refuse("not_signed_in");
  await ask("/api/x").catch(() => undefined);
  expect(useConnection.getState().session).toBe("none");
  sessionOpened();
  refuse("wrong_password");
  await ask("/api/x").catch(() => undefined);
  expect(useConnection.getState().session).toBe("open");
  refuse("not_signed_in");
  await ask("/api/x").catch(() => undefined);
  expect(useConnection.getState().session).toBe("ended");
});
