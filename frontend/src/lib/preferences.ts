import { create } from "zustand";
import { persist } from "zustand/middleware";

export type Theme = "system" | "light" | "dark";
export type Language = "en" | "ko";
/** What sends a message: Enter (Shift+Enter for a new line), or Ctrl/⌘+Enter. */
export type SendKey = "enter" | "mod-enter";

export interface Preferences {
  theme: Theme;
  /** None: the browser's. */
  language: Language | null;
  sendKey: SendKey;
  sidebarOpen: boolean;
}

const NAME = "preferences";

/** What this browser remembers of how a person likes the page. `public/theme.js` reads the same entry before the first paint. */
export const usePreferences = create<Preferences>()(
  persist<Preferences>(() => ({ theme: "system", language: null, sendKey: "enter", sidebarOpen: true }), { name: NAME }),
);

// One set for all tabs: a tab with older ones would write them over what another has chosen.
window.addEventListener("storage", ({ key }) => {
  if (key === NAME) void usePreferences.persist.rehydrate();
});

const darkSystem = matchMedia("(prefers-color-scheme: dark)");
const PAPER = { light: "#fbfaf8", dark: "#1b1a18" };

function showTheme(): void {
  const { theme } = usePreferences.getState();
  const shown = theme === "system" ? (darkSystem.matches ? "dark" : "light") : theme;
  document.documentElement.dataset["theme"] = shown;
  document.querySelector('meta[name="theme-color"]')?.setAttribute("content", PAPER[shown]);
}

/** Keep the document's theme what the person, or else the system, says. Call once. */
export function followTheme(): void {
  showTheme();
  usePreferences.subscribe(showTheme);
  darkSystem.addEventListener("change", showTheme);
}

/** The language that is shown. */
export function languageOf(preferences: Preferences): Language {
  return preferences.language ?? (/^ko\b/.test(navigator.language) ? "ko" : "en");
}
