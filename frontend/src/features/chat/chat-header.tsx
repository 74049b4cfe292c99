import { SlidersHorizontal } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import type { FirstSettings } from "@/features/chat/entry";
import { ModelPicker } from "@/features/chat/model-picker";
import { IconButton } from "@/ui/button";

const loadDialog = () => import("@/features/chat/settings-dialog");
const SettingsDialog = lazy(loadDialog);

interface ChatHeaderProps {
  title: string;
  settings: FirstSettings;
  onChange: (change: FirstSettings) => void;
}

/** What the conversation is called, and how it is asked. */
export function ChatHeader({ title, settings, onChange }: ChatHeaderProps) {
  const { t } = useTranslation();
  const [open, setOpen] = useState(false);
  return (
    <header className="flex min-h-12 items-center gap-2 px-2 py-1 sm:px-3">
      <div className="min-w-0 flex-1">
        <ModelPicker model={settings.model ?? null} onChange={(model) => onChange({ model })} />
      </div>
      {/* On narrow screens the bar above says it. */}
      <h1 className="min-w-0 flex-1 truncate text-center text-sm font-medium max-md:sr-only">{title}</h1>
      <div className="flex justify-end md:flex-1">
        <IconButton label={t("chat.settings")} onPointerEnter={loadDialog} onFocus={loadDialog} onClick={() => setOpen(true)}>
          <SlidersHorizontal aria-hidden />
        </IconButton>
      </div>
      {open && (
        <Suspense>
          <SettingsDialog settings={settings} onSave={onChange} onClose={() => setOpen(false)} />
        </Suspense>
      )}
    </header>
  );
}
