import { useId } from "react";
import { useTranslation } from "react-i18next";

/** Whether the first account gets what was said before there were accounts. */
export function TakeOver({ checked, onChange }: { checked: boolean; onChange: (checked: boolean) => void }) {
  const { t } = useTranslation();
  const id = useId();
  return (
    <div className="flex gap-3 rounded-lg border border-line px-3 py-2.5">
      <input
        id={id}
        type="checkbox"
        className="mt-1 size-4 shrink-0 accent-accent"
        checked={checked}
        aria-describedby={`${id}-hint`}
        onChange={(event) => onChange(event.target.checked)}
      />
      <div>
        <label htmlFor={id} className="text-sm font-medium">
          {t("account.takeOver")}
        </label>
        <p id={`${id}-hint`} className="text-sm text-muted">
          {t("account.takeOverHint")}
        </p>
      </div>
    </div>
  );
}
