import { Link } from "@tanstack/react-router";
import { clsx } from "clsx";
import { PanelLeftClose, PanelLeftOpen, Search, Settings, SquarePen, X } from "lucide-react";
import { useRef } from "react";
import { useTranslation } from "react-i18next";
import { toggleSidebar } from "@/app/shortcuts";
import { useFocusWithin } from "@/app/use-focus-within";
import { Sidebar } from "@/features/conversations/sidebar";
import { openPanel, setDrawer } from "@/lib/panels";
import { usePreferences } from "@/lib/preferences";
import { buttonClass, IconButton } from "@/ui/button";

const ICON = clsx(buttonClass("quiet"), "aspect-square px-0 [&>svg]:size-4.5");

function closeDrawer(): void {
  setDrawer(false);
}

/** Where the list of conversations is: beside the page, folded to a rail, or in a drawer over it. */
export function SidePanel({ isWide, isDrawerOpen }: { isWide: boolean; isDrawerOpen: boolean }) {
  const isOpen = usePreferences((state) => state.sidebarOpen);
  if (!isWide) return <Drawer isOpen={isDrawerOpen} />;
  return isOpen ? (
    <aside className="flex w-68 shrink-0 flex-col border-r border-line bg-surface">
      <Content isDrawer={false} />
    </aside>
  ) : (
    <Rail />
  );
}

function Drawer({ isOpen }: { isOpen: boolean }) {
  const { t } = useTranslation();
  const drawer = useRef<HTMLDivElement>(null);
  useFocusWithin(drawer, isOpen, closeDrawer);

  return (
    <>
      {isOpen && (
        <button
          type="button"
          tabIndex={-1}
          aria-hidden
          className="fixed inset-0 z-20 animate-[fade-in_150ms] cursor-default bg-black/35"
          onClick={closeDrawer}
        />
      )}
      <div
        ref={drawer}
        role={isOpen ? "dialog" : undefined}
        aria-modal={isOpen || undefined}
        aria-label={t("shell.sidebar")}
        inert={!isOpen}
        className={clsx(
          "fixed inset-y-0 left-0 z-30 flex w-[min(20rem,85vw)] flex-col bg-surface pt-[env(safe-area-inset-top)] pb-[env(safe-area-inset-bottom)] shadow-float duration-200",
          // Visible at once when it opens, so that it can have the focus; hidden only after it has gone.
          isOpen ? "transition-[translate]" : "invisible -translate-x-full transition-[translate,visibility]",
        )}
      >
        <Content isDrawer />
      </div>
    </>
  );
}

function Content({ isDrawer }: { isDrawer: boolean }) {
  const { t } = useTranslation();
  return (
    <>
      <div className="flex items-center justify-between gap-2 py-2 pr-2 pl-4">
        <Link to="/" className="truncate text-sm font-semibold tracking-tight">
          {t("shell.name")}
        </Link>
        <IconButton label={t("shell.closeSidebar")} onClick={isDrawer ? closeDrawer : toggleSidebar}>
          {isDrawer ? <X aria-hidden /> : <PanelLeftClose aria-hidden />}
        </IconButton>
      </div>
      <div className="min-h-0 flex-1">
        <Sidebar
          footer={
            <Link to="/settings" className={clsx(buttonClass("quiet"), "justify-start! [&>svg]:size-4")}>
              <Settings aria-hidden />
              {t("shell.settings")}
            </Link>
          }
        />
      </div>
    </>
  );
}

function Rail() {
  const { t } = useTranslation();
  return (
    <aside className="flex w-13 shrink-0 flex-col items-center gap-1 border-r border-line bg-surface py-2">
      <IconButton label={t("shell.openSidebar")} onClick={toggleSidebar}>
        <PanelLeftOpen aria-hidden />
      </IconButton>
      <Link to="/" aria-label={t("shell.newChat")} title={t("shell.newChat")} className={ICON}>
        <SquarePen aria-hidden />
      </Link>
      <IconButton label={t("shell.search")} onClick={() => openPanel("search")}>
        <Search aria-hidden />
      </IconButton>
      <Link to="/settings" aria-label={t("shell.settings")} title={t("shell.settings")} className={clsx(ICON, "mt-auto")}>
        <Settings aria-hidden />
      </Link>
    </aside>
  );
}
