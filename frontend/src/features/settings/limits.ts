import type { LimitsBody } from "@/api/generated";

export type LimitName = keyof LimitsBody;

/** In the order in which they are told. */
export const LIMITS = ["runs", "requests_per_minute", "tokens_per_minute", "tokens_per_day", "budget_per_month"] as const satisfies readonly LimitName[];

export type LimitTexts = Record<LimitName, string>;

/** The limits as they are typed: nothing where the settings of the service hold. */
export function textsOf(limits: LimitsBody): LimitTexts {
  return Object.fromEntries(LIMITS.map((name) => [name, limits[name]?.toString() ?? ""])) as LimitTexts;
}

/** One limit as it was typed: null where the settings hold, undefined where it is no limit. Only dollars have fractions. */
export function limitOf(name: LimitName, text: string): number | null | undefined {
  if (text.trim() === "") return null;
  const value = Number(text);
  const isWhole = name === "budget_per_month" || Number.isInteger(value);
  return Number.isFinite(value) && value >= 0 && isWhole ? value : undefined;
}
