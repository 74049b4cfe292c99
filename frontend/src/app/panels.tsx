import { CatchBoundary } from "@tanstack/react-router";
import { lazy, Suspense, useEffect } from "react";
import { useTranslation } from "react-i18next";
import { useConnection } from "@/api/connection";
import { closePanel, usePanels } from "@/lib/panels";
import { showToast } from "@/ui/toast";

const loadSearch = () => import("@/features/conversations/search-dialog");
const loadShortcuts = () => import("@/features/help/shortcuts-dialog");
const loadSession = () => import("@/features/account/session-dialog");

const SearchDialog = lazy(loadSearch);
const ShortcutsDialog = lazy(loadShortcuts);
const SessionDialog = lazy(loadSession);

/** What lies over the page, loaded when it is first asked for. What cannot be loaded leaves the page below as it is. */
export function Panels() {
  const panel = usePanels((state) => state.panel);
  const hasEnded = useConnection((state) => state.session === "ended");
  return (
    <CatchBoundary getResetKey={() => `${panel} ${hasEnded}`} errorComponent={NotLoaded}>
      <Suspense>
        {panel === "search" && <SearchDialog />}
        {panel === "shortcuts" && <ShortcutsDialog />}
        {hasEnded && <SessionDialog />}
      </Suspense>
    </CatchBoundary>
  );
}

/** Load them in a quiet moment before they are asked for, so that they are there when the service is not. */
export function preloadPanels(): void {
  const idle = "requestIdleCallback" in window ? requestIdleCallback : setTimeout;
  idle(() => {
    for (const load of [loadSearch, loadShortcuts, loadSession, () => import("@/ui/menu-popup")]) load().catch(() => undefined);
  });
}

function NotLoaded() {
  const { t } = useTranslation();
  useEffect(() => {
    closePanel();
    showToast({ id: "panel", text: t("shell.partMissing"), tone: "danger", action: { label: t("shell.reload"), onAction: () => location.reload() } });
  }, [t]);
  return null;
}
