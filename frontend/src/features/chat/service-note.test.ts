import { readFileSync } from "node:fs";
import { renderHook } from "@testing-library/react";
import { expect, it } from "vitest";
import { KNOWN_NOTES, useServiceNote } from "@/features/chat/service-note";
import { speak } from "@/lib/fixtures";

/** What the service notes of its embedded model, as its source spells it. */
function notesOfTheService(): string[] {
  const source = readFileSync("../backend/app/providers/local.py", "utf8");
  const assigned = source.matchAll(/^(?:_NOTE|_OWN_NOTE|_LOADING) = (?:\((.*?)^\)|(".*?")$)/gms);
  return [...assigned].map(([, lines, line]) => [...(lines ?? line ?? "").matchAll(/"(.*)"/g)].map(([, text]) => text).join(""));
}

it("has words of its own for what the service notes of its embedded model", () => {
  expect(notesOfTheService().toSorted()).toEqual(KNOWN_NOTES.toSorted());
});

it("is told in the page's language, and anybody else's note as it is", async () => {
  const { result } = renderHook(() => useServiceNote());
  expect(KNOWN_NOTES.map((note) => result.current(note)).every((said) => /^[ -~…]+$/.test(said))).toBe(true);
  await speak("ko");
  for (const note of KNOWN_NOTES) expect(result.current(note)).toMatch(/[가-힣]/);
  expect(result.current("Slow on Mondays.")).toBe("Slow on Mondays.");
});
