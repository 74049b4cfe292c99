import { describe, expect, it } from "vitest";
import { grew, isAtEnd, scrolled, type Follow, type Place } from "@/features/chat/follow";

const FOLLOWING: Follow = { following: true, unseen: false };
const READING: Follow = { following: false, unseen: false };
const place = (offset: number, size = 2000, viewport = 500): Place => ({ offset, size, viewport });

describe("following the end", () => {
  it("stops once the reader scrolls up", () => {
    expect(scrolled(FOLLOWING, place(1500), place(1400), false)).toEqual(READING);
    expect(scrolled(FOLLOWING, place(1500), place(1300, 1900), true)).toEqual(READING);
  });

  it("does not stop while the answer grows faster than the page scrolls", () => {
    expect(scrolled(FOLLOWING, place(1500), place(1500, 2300), true)).toBe(FOLLOWING);
  });

  it("does not stop when something above shrinks, or the keyboard of a phone comes up", () => {
    expect(scrolled(FOLLOWING, place(1500), place(1300, 1900), false)).toBe(FOLLOWING);
    expect(scrolled(FOLLOWING, place(1500), place(1500, 2000, 300), false)).toBe(FOLLOWING);
  });

  it("does not stop by a step of a pixel or two at the end", () => {
    expect(scrolled(FOLLOWING, place(1500), place(1480), true)).toBe(FOLLOWING);
    expect(isAtEnd(place(1480))).toBe(true);
  });

  it("begins again when the reader comes back to the end, and nothing is unseen then", () => {
    expect(scrolled(grew(READING), place(1000), place(1500), true)).toEqual(FOLLOWING);
  });

  it("does not begin while the reader scrolls down on the way", () => {
    expect(scrolled(READING, place(500), place(900), true)).toBe(READING);
  });

  it("marks what came while one was reading above, and only then", () => {
    expect(grew(READING)).toEqual({ following: false, unseen: true });
    expect(grew(FOLLOWING)).toBe(FOLLOWING);
  });
});
