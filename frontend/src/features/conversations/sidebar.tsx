import { Link } from "@tanstack/react-router";
import { clsx } from "clsx";
import { Archive, ArrowLeft, Search, SquarePen } from "lucide-react";
import { useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { ConversationList } from "@/features/conversations/conversation-list";
import { focused } from "@/features/conversations/focus";
import { openPanel, setDrawer } from "@/lib/panels";
import { Button, buttonClass, IconButton } from "@/ui/button";

/** The conversations, and the ways to begin and to find one. It fills what it is put in; `footer` stands below it. */
export function Sidebar({ footer }: { footer?: ReactNode }) {
  const { t } = useTranslation();
  const [archived, setArchived] = useState(false);
  const [wasArchived, setWasArchived] = useState(false);

  function turn(archived: boolean): void {
    setArchived(archived);
    setWasArchived(!archived);
  }

  return (
    <nav aria-label={t("conversations.list")} className="flex h-full min-h-0 w-full flex-col">
      <div className="flex gap-1 p-2">
        <Link to="/" onClick={() => setDrawer(false)} className={clsx(buttonClass(), "flex-1 [&>svg]:size-4")}>
          <SquarePen aria-hidden />
          {t("conversations.newChat")}
        </Link>
        <IconButton label={t("conversations.search")} aria-keyshortcuts="Control+K Meta+K" onClick={() => openPanel("search")}>
          <Search aria-hidden />
        </IconButton>
      </div>
      {archived && (
        <div className="flex items-center gap-1 px-2">
          <IconButton ref={focused} label={t("conversations.backToList")} onClick={() => turn(false)}>
            <ArrowLeft aria-hidden className="rtl:-scale-x-100" />
          </IconButton>
          <h2 className="text-sm font-medium">{t("conversations.archived")}</h2>
        </div>
      )}
      <ConversationList key={String(archived)} archived={archived} />
      <div className="flex flex-col border-t border-line p-2">
        {!archived && (
          <Button ref={wasArchived ? focused : null} kind="quiet" className="justify-start! [&>svg]:size-4" onClick={() => turn(true)}>
            <Archive aria-hidden />
            {t("conversations.archived")}
          </Button>
        )}
        {footer}
      </div>
    </nav>
  );
}
