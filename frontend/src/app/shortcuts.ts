import { useRouter } from "@tanstack/react-router";
import { useEffect } from "react";
import { shortcutOf, type ShortcutId } from "@/features/help/shortcuts";
import { closePanel, openPanel, setDrawer, usePanels } from "@/lib/panels";
import { usePreferences } from "@/lib/preferences";

const FIELDS = "input, textarea, select, [contenteditable], [role=menu], [role=listbox]";
const OVER_THE_PAGE = "[role=dialog], [role=alertdialog]";

/** Keys that do something wherever one is. What lies over the page keeps them to itself. */
export function useShortcuts(): void {
  const router = useRouter();
  useEffect(() => {
    const act: Record<Exclude<ShortcutId, "stop">, () => void> = {
      search: () => (usePanels.getState().panel === "search" ? closePanel() : openPanel("search")),
      newChat: () => {
        void router.navigate({ to: "/" }).then(focusComposer);
      },
      sidebar: toggleSidebar,
      composer: focusComposer,
      help: () => openPanel("shortcuts"),
    };
    function pressed(event: KeyboardEvent): void {
      if (event.defaultPrevented || event.repeat) return;
      const typing = event.target instanceof Element && event.target.closest(FIELDS) !== null;
      const id = shortcutOf(event, typing);
      if (!id || id === "stop") return; // the composer stops
      const isSearchOpen = id === "search" && usePanels.getState().panel === "search";
      if (!isSearchOpen && document.querySelector(OVER_THE_PAGE)) return;
      event.preventDefault();
      act[id]();
    }
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, [router]);
}

/** Show or hide the list of conversations, whichever way this screen has. */
export function toggleSidebar(): void {
  if (matchMedia(WIDE).matches) usePreferences.setState(({ sidebarOpen }) => ({ sidebarOpen: !sidebarOpen }));
  else setDrawer(!usePanels.getState().drawer);
}

/** From here on the list stands beside the conversation. */
export const WIDE = "(min-width: 48rem)";

function focusComposer(): void {
  document.querySelector<HTMLElement>("main textarea")?.focus();
}
