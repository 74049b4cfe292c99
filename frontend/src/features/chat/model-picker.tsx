import { useQuery } from "@tanstack/react-query";
import { ChevronDown } from "lucide-react";
import { useTranslation } from "react-i18next";
import { modelsQuery } from "@/api/models";
import { useServiceNote } from "@/features/chat/service-note";
import { Menu } from "@/ui/menu";

/** Which model answers from the next question on. `model`: its id; none: the service's default. */
export function ModelPicker({ model, onChange }: { model: string | null; onChange: (model: string | null) => void }) {
  const { t } = useTranslation();
  const noteOf = useServiceNote();
  const { data: models } = useQuery(modelsQuery);
  if (!models || models.length === 0) return null;
  const shown = models.find(({ id, default: isDefault }) => (model === null ? isDefault : id === model));
  const name = shown?.name ?? model ?? t("chat.modelDefault");
  return (
    <Menu
      label={t("chat.modelIs", { name })}
      className="max-w-full min-w-0 text-ink"
      align="start"
      icon={
        <>
          <span className="truncate">{name}</span>
          <ChevronDown aria-hidden className="shrink-0 text-muted" />
        </>
      }
      items={models.map(({ id, name, note, provider, default: isDefault }) => ({
        id,
        label: name,
        about: [provider, note && noteOf(note)].filter(Boolean).join(" · "),
        checked: id === shown?.id,
        onSelect: () => onChange(isDefault ? null : id),
      }))}
    />
  );
}
