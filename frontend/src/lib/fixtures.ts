import i18next from "i18next";
import { expect } from "vitest";
import { usePreferences, type Language } from "@/lib/preferences";

/** For tests: show everything in this language from now on. */
export async function speak(language: Language): Promise<void> {
  usePreferences.setState({ language });
  await expect.poll(() => i18next.language).toBe(language);
}
