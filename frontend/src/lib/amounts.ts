import i18next from "i18next";

/** A whole number as people write it. */
export function count(value: number): string {
  return new Intl.NumberFormat(i18next.language).format(value);
}

/** An amount of US dollars; small ones keep their digits, since one answer costs less than a cent. */
export function dollars(value: number): string {
  const digits = value !== 0 && Math.abs(value) < 1 ? 4 : 2;
  return new Intl.NumberFormat(i18next.language, {
    style: "currency",
    currency: "USD",
    minimumFractionDigits: 2,
    maximumFractionDigits: digits,
  }).format(value);
}

/** The day of an RFC 3339 time, here. */
export function day(time: string): string {
  return new Intl.DateTimeFormat(i18next.language, { dateStyle: "medium" }).format(new Date(time));
}

/** A day of UTC (`2026-11-25`), as it is, wherever one reads it. */
export function dayOfUtc(date: string): string {
  return new Intl.DateTimeFormat(i18next.language, { month: "short", day: "numeric", timeZone: "UTC" }).format(new Date(date));
}

/** Day and time of an RFC 3339 time, here. */
export function moment(time: string): string {
  return new Intl.DateTimeFormat(i18next.language, { dateStyle: "medium", timeStyle: "short" }).format(new Date(time));
}
