import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { setReached, useConnection } from "@/api/connection";
import { watchReach } from "@/api/reach";

let stop: () => void;
let away: boolean;

beforeEach(() => {
  vi.useFakeTimers();
  setReached(true);
  away = false;
  vi.stubGlobal("fetch", () => (away ? Promise.reject(new TypeError("Failed to fetch")) : Promise.resolve(Response.json({ status: "ok" }))));
  stop = watchReach();
});

afterEach(() => {
  stop();
  vi.restoreAllMocks();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it("looks again after the network went, since what was answered then may have been on its way", async () => {
  vi.spyOn(navigator, "onLine", "get").mockReturnValue(false);
  window.dispatchEvent(new Event("offline"));
  await vi.advanceTimersByTimeAsync(100);
  expect(useConnection.getState().reached).toBe(true);
  away = true;
  await vi.advanceTimersByTimeAsync(2_000);
  expect(useConnection.getState().reached).toBe(false);
  away = false;
  await vi.advanceTimersByTimeAsync(5_000);
  expect(useConnection.getState().reached).toBe(true);
});
