import { ApiError } from "@/api/client";

// What browsers say when a file that is imported later is not there (Chromium, Firefox, Safari).
const PART_MISSING = /dynamically imported module|Importing a module script failed|preload CSS/i;

/** Whether a part of the page could not be loaded. */
export function isPartMissing(error: unknown): boolean {
  return error instanceof Error && PART_MISSING.test(error.message);
}

/** Report what nobody foresaw; a refusal, a service that is away or a missing part has been said in a sentence. */
export function reportUnforeseen(error: unknown): void {
  if (!(error instanceof ApiError) && !isPartMissing(error)) reportError(error);
}
