import { expect, it } from "vitest";
import { readMaxTokens, readTemperature } from "@/features/chat/settings-numbers";

it.each([
  ["", null],
  [" ", null],
  ["0", 0],
  ["0.7", 0.7],
  ["0,7", 0.7],
  [".5", 0.5],
  ["2", 2],
  ["2.1", undefined],
  ["-1", undefined],
  ["1e0", undefined],
  ["hot", undefined],
])("a temperature of %j is %j", (text, value) => {
  expect(readTemperature(text)).toBe(value);
});

it.each([
  ["", null],
  ["1000", 1000],
  ["1,000", 1000],
  ["1000000", 1_000_000],
  ["1000001", undefined],
  ["0", undefined],
  ["1.5", undefined],
  ["NaN", undefined],
])("%j tokens are %j", (text, value) => {
  expect(readMaxTokens(text)).toBe(value);
});
