import { act, renderHook } from "@testing-library/react";
import { expect, it, vi } from "vitest";
import { later } from "@/ui/markdown/later";

it("is there at once for whoever comes after it was loaded", async () => {
  const part = later(() => Promise.resolve("the part"));
  const first = renderHook(() => part.use(true));
  expect(first.result.current).toBeUndefined();
  await act(async () => {});
  expect(first.result.current).toBe("the part");
  expect(renderHook(() => part.use(true)).result.current).toBe("the part");
});

it("is tried again by the next one who wants it", async () => {
  const fetchIt = vi.fn<() => Promise<string>>().mockRejectedValueOnce(new Error("away")).mockResolvedValue("the part");
  const part = later(fetchIt);
  const first = renderHook(() => part.use(true));
  await act(async () => {});
  expect(first.result.current).toBeUndefined();
  renderHook(() => part.use(true));
  await act(async () => {});
  expect(first.result.current).toBe("the part");
});

it("says why it is not there, where it is required", async () => {
  const part = later(() => Promise.reject(new Error("gone")), { required: true });
  part.load();
  await act(async () => {});
  vi.spyOn(console, "error").mockImplementation(() => {});
  expect(renderHook(() => part.use(false)).result.current).toBeUndefined();
  expect(() => renderHook(() => part.use(true))).toThrow("gone");
  vi.restoreAllMocks();
});
