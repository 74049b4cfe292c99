import { expect, test } from "vitest";
import { ownPath } from "@/lib/own-path";

test.each(["/", "/c/01kandgz1m5d9ryt3ek2yqv8p4?message=2#x", "/settings/keys", "/%2F%2Fevil.test"])("%s is a place of ours", (path) => {
  expect(ownPath(path)).toBe(path);
});

test.each([
  "//evil.test",
  String.raw`/\evil.test`,
  "/\t/evil.test",
  "/\n/evil.test",
  "/.//evil.test",
  "/x/..//evil.test",
  "https://evil.test/",
  "javascript:alert(1)",
  "evil.test",
  "",
  "/api/auth/oidc/start?next=/",
  "/v1/models",
  "/auth/oidc/callback",
  undefined,
  7,
])("%j is not", (value) => {
  expect(ownPath(value)).toBeUndefined();
});
