import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { UsageOfDay } from "@/api/generated";
import { count, dayOfUtc } from "@/lib/amounts";

const DAY_MS = 86_400_000;

/** Tokens by day, the oldest at the left; days without any are there, too. */
export function perDay(items: readonly UsageOfDay[], days: number, now: number): { day: string; tokens: number }[] {
  const tokens = new Map<string, number>();
  for (const item of items) tokens.set(item.day, (tokens.get(item.day) ?? 0) + item.input_tokens + item.output_tokens);
  return Array.from({ length: days }, (_, index) => {
    const day = new Date(now - (days - 1 - index) * DAY_MS).toISOString().slice(0, 10);
    return { day, tokens: tokens.get(day) ?? 0 };
  });
}

/** The days as bars, for the eye only: the numbers are in the table below. */
export function UsageBars({ items, days }: { items: readonly UsageOfDay[]; days: number }) {
  const { t } = useTranslation();
  const [now] = useState(() => Date.now());
  const bars = perDay(items, days, now);
  const most = Math.max(1, ...bars.map(({ tokens }) => tokens));
  return (
    <figure aria-hidden>
      <figcaption className="mb-2 flex justify-between text-sm">
        <span className="font-medium">{t("settings.usage.perDay")}</span>
        <span className="text-muted">{count(most)}</span>
      </figcaption>
      <div className="flex h-28 items-end gap-px border-b border-line">
        {bars.map(({ day, tokens }) => (
          <div
            key={day}
            title={`${dayOfUtc(day)}: ${count(tokens)}`}
            className="min-w-0 flex-1 rounded-t-xs bg-accent"
            style={{ height: tokens === 0 ? 0 : `max(2px, ${(tokens / most) * 100}%)` }}
          />
        ))}
      </div>
      <p className="mt-1 flex justify-between text-xs text-muted">
        <span>{dayOfUtc(bars[0]?.day ?? "")}</span>
        <span>{dayOfUtc(bars.at(-1)?.day ?? "")}</span>
      </p>
    </figure>
  );
}
