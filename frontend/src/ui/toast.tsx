import { clsx } from "clsx";
import { X } from "lucide-react";
import { useTranslation } from "react-i18next";
import { create } from "zustand";
import { Button, IconButton } from "@/ui/button";

export interface Toast {
  id: string;
  text: string;
  tone?: "plain" | "danger";
  action?: { label: string; onAction: () => void };
}

interface Toasts {
  shown: readonly Toast[];
}

const SECONDS = 6; // long enough to read two lines; with an action it is the caller who decides

const useToasts = create<Toasts>()(() => ({ shown: [] }));

/** Show a short message at the bottom. It goes by itself, unless it has an action: then whoever shows it hides it. */
export function showToast(toast: Toast): void {
  hideToast(toast.id);
  useToasts.setState(({ shown }) => ({ shown: [...shown, toast] }));
  if (!toast.action) setTimeout(() => hideToast(toast.id), SECONDS * 1000);
}

/** Take a message away again. */
export function hideToast(id: string): void {
  useToasts.setState(({ shown }) => ({ shown: shown.filter((toast) => toast.id !== id) }));
}

/** Where messages appear: above the composer; one per page. They are read out when they come, and stay reachable by keyboard. */
export function Toaster() {
  const { t } = useTranslation();
  const shown = useToasts((state) => state.shown);
  return (
    <section
      aria-live="polite"
      aria-label={t("shell.messages")}
      className="pointer-events-none fixed inset-x-0 bottom-[calc(6rem+env(safe-area-inset-bottom))] z-60 flex flex-col items-center gap-2 px-4"
    >
      {shown.map((toast) => (
        <div
          key={toast.id}
          className={clsx(
            "pointer-events-auto flex w-full max-w-md items-center gap-2 rounded-xl border border-line bg-raised py-1.5 pr-1.5 pl-4 text-sm shadow-float",
            toast.tone === "danger" && "text-danger",
          )}
        >
          <p className="min-w-0 flex-1 py-1">{toast.text}</p>
          {toast.action && (
            <Button kind="quiet" className="text-accent" onClick={toast.action.onAction}>
              {toast.action.label}
            </Button>
          )}
          <IconButton label={t("shell.close")} onClick={() => hideToast(toast.id)}>
            <X aria-hidden />
          </IconButton>
        </div>
      ))}
    </section>
  );
}
