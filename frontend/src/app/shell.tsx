import { useQueryClient } from "@tanstack/react-query";
import { Outlet, useParams, useRouter } from "@tanstack/react-router";
import { useEffect, useLayoutEffect } from "react";
import { useTranslation } from "react-i18next";
import { Panels, preloadPanels } from "@/app/panels";
import { useShortcuts, WIDE } from "@/app/shortcuts";
import { SidePanel } from "@/app/side-panel";
import { TopBar } from "@/app/top-bar";
import { useConversationTitle } from "@/app/use-conversation-title";
import { useMedia } from "@/app/use-media";
import { startChanges } from "@/api/changes";
import { setDrawer, usePanels } from "@/lib/panels";

/** The list of conversations, and beside it what is open. On narrow screens the list is a drawer. */
export function Shell() {
  const { t } = useTranslation();
  const isWide = useMedia(WIDE);
  const isDrawerOpen = usePanels((state) => state.drawer) && !isWide;
  const { conversationId } = useParams({ strict: false });
  const title = useConversationTitle(conversationId);
  const router = useRouter();
  const queries = useQueryClient();
  useShortcuts();
  // Before the effects that read the list: what changes after that reading has to be heard already.
  useLayoutEffect(() => startChanges(queries), [queries]);
  useEffect(preloadPanels, []);
  // Whoever chose something in the drawer wants to see it.
  useEffect(() => router.subscribe("onBeforeNavigate", () => setDrawer(false)), [router]);
  useEffect(() => {
    if (isWide) setDrawer(false);
  }, [isWide]);

  return (
    <div className="flex h-full flex-col md:flex-row">
      <a
        href="#main"
        inert={isDrawerOpen}
        className="fixed top-2 left-2 z-50 -translate-y-16 rounded-lg bg-accent px-4 py-2 text-sm font-medium text-on-accent focus:translate-y-0"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById("main")?.focus();
        }}
      >
        {t("shell.skip")}
      </a>
      {!isWide && <TopBar title={title} inert={isDrawerOpen} />}
      <SidePanel isWide={isWide} isDrawerOpen={isDrawerOpen} />
      <main id="main" tabIndex={-1} inert={isDrawerOpen} className="relative min-h-0 min-w-0 flex-1 outline-none">
        <Outlet />
      </main>
      <Panels />
    </div>
  );
}
