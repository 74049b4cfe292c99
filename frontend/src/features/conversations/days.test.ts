import { afterEach, describe, expect, test, vi } from "vitest";
import { groupByDay, shortTime, untilMidnight } from "@/features/conversations/days";
import { conversation } from "@/features/conversations/fixtures";

afterEach(() => vi.unstubAllEnvs());

function inZone(zone: string): void {
  vi.stubEnv("TZ", zone);
  expect(Intl.DateTimeFormat().resolvedOptions().timeZone).toBe(zone);
}

function keysOf(times: string[], now: string): string[] {
  const items = times.map((updated_at, place) => conversation(String(place), { updated_at }));
  return groupByDay(items, new Date(now), "en").map((group) => group.key);
}

describe("groups", () => {
  test("a day begins at midnight where the person is", () => {
    const times = ["2026-03-10T15:00:00Z", "2026-03-10T14:59:59Z"]; // 0:00 and 23:59:59 in Seoul
    inZone("Asia/Seoul");
    expect(keysOf(times, "2026-03-10T16:00:00Z")).toEqual(["today", "yesterday"]);
    inZone("UTC");
    expect(keysOf(times, "2026-03-10T16:00:00Z")).toEqual(["today"]);
    inZone("America/Los_Angeles");
    expect(keysOf(times, "2026-03-11T07:00:00Z")).toEqual(["yesterday"]);
  });

  test("a day of 23 hours is a day", () => {
    inZone("America/New_York"); // the clocks went forward on 2026-03-08
    expect(keysOf(["2026-03-07T23:30:00-05:00"], "2026-03-09T00:30:00-04:00")).toEqual(["week"]);
    expect(keysOf(["2026-03-08T00:30:00-05:00"], "2026-03-08T23:30:00-04:00")).toEqual(["today"]);
    expect(keysOf(["2026-03-07T00:30:00-05:00"], "2026-03-08T23:30:00-04:00")).toEqual(["yesterday"]);
  });

  test("weeks, months, then the months by name", () => {
    inZone("UTC");
    const now = new Date("2026-03-31T12:00:00Z");
    const days = ["2026-03-24", "2026-03-23", "2026-03-01", "2026-02-28", "2026-01-31", "2025-12-31"];
    const items = days.map((day) => conversation(day, { updated_at: `${day}T23:00:00Z` }));
    const shown = (language: string) =>
      groupByDay(items, now, language).map(({ heading, items }) => [
        heading.kind === "named" ? heading.name : heading.kind,
        items.map((item) => item.id).join(" "),
      ]);
    expect(shown("en")).toEqual([
      ["week", "2026-03-24"],
      ["month", "2026-03-23 2026-03-01"],
      ["February", "2026-02-28"],
      ["January", "2026-01-31"],
      ["December 2025", "2025-12-31"],
    ]);
    expect(shown("ko").map(([name]) => name)).toEqual(["week", "month", "2월", "1월", "2025년 12월"]);
  });

  test("a service whose clock is ahead is of today", () => {
    expect(keysOf(["2026-03-12T00:00:00Z"], "2026-03-10T12:00:00Z")).toEqual(["today"]);
  });
});

test("a time is told as the hour today, then as the day, then with the year", () => {
  inZone("Asia/Seoul");
  const now = new Date("2026-03-10T12:00:00Z");
  const told = (time: string, language: string) => shortTime(new Date(time), now, language).replaceAll("\u202f", " ");
  expect(told("2026-03-10T00:05:00Z", "en")).toBe("9:05 AM");
  expect(told("2026-03-10T00:05:00Z", "ko")).toBe("오전 9:05");
  expect(told("2026-01-02T00:00:00Z", "en")).toBe("Jan 2");
  expect(told("2025-01-02T00:00:00Z", "ko")).toBe("2025년 1월 2일");
});

test("midnight is counted in the hours that the day has", () => {
  inZone("America/New_York");
  expect(untilMidnight(new Date("2026-03-08T00:00:00-05:00"))).toBe(23 * 3_600_000);
});
