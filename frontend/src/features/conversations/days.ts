import type { ConversationBody } from "@/api/generated";

/** Conversations under one heading. A month is headed by its own name, in the language shown. */
export interface Group {
  key: string;
  heading: Heading;
  items: ConversationBody[];
}

type Heading = { kind: "today" | "yesterday" | "week" | "month" } | { kind: "named"; name: string };

/** Conversations, which come newest first, by the days of the browser's time zone. */
export function groupByDay(items: readonly ConversationBody[], now: Date, language: string): Group[] {
  const groups = new Map<string, Group>();
  for (const item of items) {
    const key = keyOf(new Date(item.updated_at), now);
    const group = groups.get(key) ?? { key, heading: headingOf(key, now, language), items: [] };
    group.items.push(item);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** A time as it is short and clear today: the hour, the day, or the day and the year. */
export function shortTime(time: Date, now: Date, language: string): string {
  const days = daysBetween(time, now);
  if (days <= 0) return new Intl.DateTimeFormat(language, { hour: "numeric", minute: "2-digit" }).format(time);
  const sameYear = time.getFullYear() === now.getFullYear();
  return new Intl.DateTimeFormat(language, {
    month: "short",
    day: "numeric",
    ...(sameYear ? {} : { year: "numeric" }),
  }).format(time);
}

/** The milliseconds until the next day begins here. */
export function untilMidnight(now: Date): number {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1).getTime() - now.getTime();
}

function keyOf(time: Date, now: Date): string {
  const days = daysBetween(time, now);
  if (days <= 0) return "today"; // also when the service's clock is ahead
  if (days === 1) return "yesterday";
  if (days <= 7) return "week";
  if (days <= 30) return "month";
  return `${time.getFullYear()}-${time.getMonth()}`;
}

function headingOf(key: string, now: Date, language: string): Heading {
  switch (key) {
    case "today":
    case "yesterday":
    case "week":
    case "month":
      return { kind: key };
    default: {
      const [year = 0, month = 0] = key.split("-").map(Number);
      const options: Intl.DateTimeFormatOptions =
        year === now.getFullYear() ? { month: "long" } : { month: "long", year: "numeric" };
      return { kind: "named", name: new Intl.DateTimeFormat(language, options).format(new Date(year, month, 1)) };
    }
  }
}

/** Midnights between the two. Counted in dates, since a day of 23 or 25 hours is a day, too. */
function daysBetween(time: Date, now: Date): number {
  return (dateOf(now) - dateOf(time)) / 86_400_000;
}

function dateOf(time: Date): number {
  return Date.UTC(time.getFullYear(), time.getMonth(), time.getDate());
}
