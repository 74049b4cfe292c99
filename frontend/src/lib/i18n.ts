import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import { languageOf, usePreferences, type Language } from "@/lib/preferences";
import type en from "@/lib/locales/en";

declare module "i18next" {
  interface CustomTypeOptions {
    resources: { translation: typeof en };
  }
}

const load: Record<Language, () => Promise<{ default: object }>> = {
  en: () => import("@/lib/locales/en"),
  ko: () => import("@/lib/locales/ko"),
};

async function show(language: Language): Promise<void> {
  if (!i18next.hasResourceBundle(language, "translation")) {
    i18next.addResourceBundle(language, "translation", (await load[language]()).default);
  }
  await i18next.changeLanguage(language);
  document.documentElement.lang = language;
}

/** Load the words of the language that is shown, and follow the preference from then on. Await it before the first render. */
export async function startLanguage(): Promise<void> {
  await i18next.use(initReactI18next).init({
    resources: {},
    interpolation: { escapeValue: false }, // React escapes
    returnNull: false,
  });
  await show(languageOf(usePreferences.getState()));
  usePreferences.subscribe((now, before) => {
    if (languageOf(now) !== languageOf(before)) void show(languageOf(now));
  });
}
