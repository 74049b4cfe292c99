import { expect, test } from "vitest";
import { usePreferences } from "@/lib/preferences";

test("what another tab chooses holds here too, and is not written over", () => {
  localStorage.setItem("preferences", JSON.stringify({ state: { ...usePreferences.getState(), theme: "dark" }, version: 0 }));
  window.dispatchEvent(new StorageEvent("storage", { key: "preferences" }));
  usePreferences.setState({ sidebarOpen: false });
  expect(usePreferences.getState()).toMatchObject({ theme: "dark", sidebarOpen: false });
  expect(JSON.parse(localStorage.getItem("preferences") ?? "")).toMatchObject({ state: { theme: "dark", sidebarOpen: false } });
});
