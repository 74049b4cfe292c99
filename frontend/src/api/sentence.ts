import i18next from "i18next";
import { ApiError } from "@/api/client";

/** What is known of a failure: an error that was thrown, or the `error` of a message. */
interface Told {
  code: string;
  message: string;
  retryAfter?: number | undefined;
}

const UNITS = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
] as const;

/**
 * What went wrong and what to do, in the person's language.
 *
 * A code that this page has no words for is told by the service's own sentence; anything else is a fault of the page.
 */
export function sentenceOf(error: unknown): string {
  if (!isTold(error)) return i18next.t("errors.page");
  const key = `errors.${error.code}` as "errors.internal"; // any code; what has no words is caught by `exists`
  const said = i18next.exists(key) ? i18next.t(key, { detail: error.message }) : error.message;
  if (!error.retryAfter) return said;
  return `${said} ${i18next.t("errors.again_in", { wait: duration(error.retryAfter) })}`;
}

function isTold(error: unknown): error is Told {
  if (error instanceof ApiError) return true;
  return typeof error === "object" && error !== null && !(error instanceof Error) && "code" in error && "message" in error;
}

/** In the largest unit that it fills, rounded up: nobody is sent back too early. */
function duration(seconds: number): string {
  const [unit, size] = UNITS.find(([, length]) => seconds >= length) ?? (["second", 1] as const);
  const format = new Intl.NumberFormat(i18next.language, { style: "unit", unit, unitDisplay: "long" });
  return format.format(Math.ceil(seconds / size));
}
