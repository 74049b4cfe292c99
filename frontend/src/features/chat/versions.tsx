import { ChevronLeft, ChevronRight } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { MessageBody } from "@/api/generated";
import { IconButton } from "@/ui/button";

/** ‹ 2/3 ›: the other questions or answers at this place. */
export function Versions({ message, disabled, onShow }: { message: MessageBody; disabled: boolean; onShow: (id: string) => void }) {
  const { t } = useTranslation();
  const { siblings, id } = message;
  const at = siblings.indexOf(id);
  if (siblings.length < 2 || at < 0) return null;
  const show = (index: number): void => {
    const sibling = siblings[index];
    if (sibling && !disabled) onShow(sibling);
  };
  return (
    <div role="group" aria-label={t("chat.versions")} className="flex items-center text-sm text-muted">
      <IconButton label={t("chat.previous")} aria-disabled={disabled || at === 0} onClick={() => show(at - 1)}>
        <ChevronLeft aria-hidden />
      </IconButton>
      <span className="tabular-nums">
        <span aria-hidden>
          {at + 1}/{siblings.length}
        </span>
        <span className="sr-only">{t("chat.versionOf", { number: at + 1, count: siblings.length })}</span>
      </span>
      <IconButton label={t("chat.next")} aria-disabled={disabled || at === siblings.length - 1} onClick={() => show(at + 1)}>
        <ChevronRight aria-hidden />
      </IconButton>
    </div>
  );
}
