import { Dialog as Base } from "@base-ui/react/dialog";
import { clsx } from "clsx";
import { X } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { IconButton } from "@/ui/button";

interface DialogProps {
  title: string;
  /** Below the title: what this is about. */
  about?: ReactNode;
  onClose: () => void;
  children: ReactNode;
  size?: "small" | "large";
}

/**
 * A modal dialog, open as long as it is rendered. It keeps the focus, closes on Escape and gives the focus back.
 * On a phone it fills the screen from below. Load it lazily: it brings base-ui's dialog along.
 */
export default function Dialog({ title, about, onClose, children, size = "small" }: DialogProps) {
  const { t } = useTranslation();
  return (
    <Base.Root open onOpenChange={(open) => !open && onClose()}>
      <Base.Portal>
        <Base.Backdrop className="fixed inset-0 z-40 bg-black/35 transition-opacity data-starting-style:opacity-0" />
        <Base.Popup
          className={clsx(
            "fixed z-50 flex max-h-[92dvh] flex-col bg-raised text-ink shadow-float outline-none transition-[opacity,translate] data-starting-style:translate-y-2 data-starting-style:opacity-0",
            "inset-x-0 bottom-0 rounded-t-2xl pb-[env(safe-area-inset-bottom)]",
            "sm:inset-auto sm:top-1/2 sm:left-1/2 sm:-translate-x-1/2 sm:-translate-y-1/2 sm:rounded-2xl sm:pb-0",
            size === "large" ? "sm:w-[min(48rem,calc(100vw-4rem))]" : "sm:w-[min(28rem,calc(100vw-4rem))]",
          )}
        >
          <header className="flex items-start justify-between gap-4 px-5 pt-4 pb-2">
            <div className="min-w-0 pt-1">
              <Base.Title className="text-lg leading-snug font-semibold">{title}</Base.Title>
              {about && <Base.Description className="mt-1 text-sm text-muted">{about}</Base.Description>}
            </div>
            <Base.Close render={<IconButton label={t("shell.close")} />}>
              <X aria-hidden />
            </Base.Close>
          </header>
          <div className="overflow-y-auto px-5 pt-1 pb-5">{children}</div>
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}
