import { afterEach, expect, test, vi } from "vitest";
import { loadPart } from "@/api/parts";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

test("a part that could not be loaded is loaded once the service is back", async () => {
  vi.useFakeTimers();
  const answers = [() => Promise.reject(new TypeError("away")), () => Promise.resolve(new Response("{}"))];
  vi.stubGlobal("fetch", () => answers.shift()?.());
  const load = vi.fn<() => Promise<string>>().mockRejectedValueOnce(new TypeError("away")).mockResolvedValue("the part");
  const loaded = loadPart(load);
  await vi.advanceTimersByTimeAsync(1_000);
  await expect(loaded).resolves.toBe("the part");
  expect(load).toHaveBeenCalledTimes(2);
});

test("a part that a service which is there does not have is missing", async () => {
  vi.stubGlobal("fetch", () => Promise.resolve(new Response("{}")));
  await expect(loadPart(() => Promise.reject(new TypeError("not there")))).rejects.toThrow("not there");
});
