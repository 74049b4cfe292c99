import { Link } from "@tanstack/react-router";
import { clsx } from "clsx";
import { Menu, SquarePen } from "lucide-react";
import { useTranslation } from "react-i18next";
import { setDrawer } from "@/lib/panels";
import { buttonClass, IconButton } from "@/ui/button";

/** On narrow screens: the way to the list, what is open, and the way to a new chat. */
export function TopBar({ title, inert }: { title: string | undefined; inert: boolean }) {
  const { t } = useTranslation();
  return (
    <header
      inert={inert}
      className="flex items-center gap-1 border-b border-line bg-paper px-1.5 pt-[max(0.25rem,env(safe-area-inset-top))] pb-1"
    >
      <IconButton label={t("shell.openSidebar")} aria-haspopup="dialog" onClick={() => setDrawer(true)}>
        <Menu aria-hidden />
      </IconButton>
      <p className="min-w-0 flex-1 truncate text-center text-sm font-medium">{title ?? t("shell.name")}</p>
      <Link
        to="/"
        aria-label={t("shell.newChat")}
        title={t("shell.newChat")}
        className={clsx(buttonClass("quiet"), "aspect-square px-0 [&>svg]:size-4.5")}
      >
        <SquarePen aria-hidden />
      </Link>
    </header>
  );
}
