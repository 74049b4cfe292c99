import i18next from "i18next";
import { expect, onTestFinished } from "vitest";
import { usePreferences, type Language } from "@/lib/preferences";

/** For tests: show everything in this language until the test is over, and in English then. */
export async function speak(language: Language): Promise<void> {
  onTestFinished(() => change("en"));
  await change(language);
}

async function change(language: Language): Promise<void> {
  usePreferences.setState({ language });
  await expect.poll(() => i18next.language).toBe(language);
}
