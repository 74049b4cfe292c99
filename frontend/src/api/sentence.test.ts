import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ApiError } from "@/api/client";
import { sentenceOf } from "@/api/sentence";
import en from "@/lib/locales/en/errors";
import ko from "@/lib/locales/ko/errors";
import { speak } from "@/lib/fixtures";

function source(name: string): string {
  return readFileSync(`../backend/app/${name}`, "utf8");
}

/** Every code that the service can answer with, as its sources say them. */
function codesOfTheService(): string[] {
  const classes = `${source("errors.py")}${source("services/import_file.py")}`.matchAll(/^ {4}(?:status, )?code\b[^\n=]*= [^\n"]*"([a-z_]+)"/gm);
  const failures = `${source("models.py")}${source("services/endings.py")}`.matchAll(/Failure\(\s*"([a-z_]+)"/g);
  return [...classes, ...failures].map(([, code]) => code ?? "");
}

describe("a failure", () => {
  it("has a sentence for every code of the service, in both languages", () => {
    const codes = codesOfTheService();
    expect(codes.length).toBeGreaterThan(50);
    expect(codes.filter((code) => !(code in en) || !(code in ko))).toEqual([]);
  });

  it("is told in the person's language", async () => {
    const error = new ApiError(503, "draining", "The service is shutting down.", true, 5);
    expect(sentenceOf(error)).toBe("The service is being restarted. Try again in a moment. (in 5 seconds)");
    await speak("ko");
    expect(sentenceOf(error)).toBe("서비스를 다시 시작하는 중입니다. 잠시 뒤 다시 시도하세요. (5초 뒤)");
  });

  it("is told by the service's sentence where this page has no words", () => {
    expect(sentenceOf({ code: "brand_new", message: "The moon is in the way.", retryable: false })).toBe(
      "The moon is in the way.",
    );
  });

  it("keeps what the service says of a field, and takes nothing in it for a variable", () => {
    expect(sentenceOf(new ApiError(422, "invalid", "title: {{wait}} is blank.", false))).toBe("title: {{wait}} is blank.");
  });

  it("of the page itself is told without its inner words", () => {
    expect(sentenceOf(new TypeError("x is not a function"))).toBe("Something went wrong on this page. Reload it and try again.");
  });

  it.each([
    [59, "59 seconds"],
    [61, "2 minutes"],
    [7200, "2 hours"],
    [90_000, "2 days"],
  ])("says when to come back: %d s", (seconds, wait) => {
    expect(sentenceOf(new ApiError(429, "too_many_requests", "Too often.", true, seconds))).toBe(
      `Too often. (in ${wait})`,
    );
  });
});
