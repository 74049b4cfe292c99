import { useTranslation } from "react-i18next";
import { keysOf, SHORTCUTS } from "@/features/help/shortcuts";
import { closePanel } from "@/lib/panels";
import { usePreferences } from "@/lib/preferences";
import Dialog from "@/ui/dialog";

/** What the keyboard does, in a list. */
export default function ShortcutsDialog() {
  const { t } = useTranslation();
  const sendKey = usePreferences((state) => state.sendKey);
  const send = keysOf({ mod: sendKey === "mod-enter", key: "Enter" });
  const newLine = keysOf({ shift: sendKey === "enter", key: "Enter" });
  const rows = [
    ...SHORTCUTS.map((shortcut) => ({ id: shortcut.id, label: t(`shell.shortcuts.${shortcut.id}`), keys: keysOf(shortcut) })),
    { id: "send", label: t("shell.shortcuts.send"), keys: send },
    { id: "newLine", label: t("shell.shortcuts.newLine"), keys: newLine },
  ];
  return (
    <Dialog title={t("shell.shortcuts.title")} onClose={closePanel}>
      <dl className="divide-y divide-line">
        {rows.map((row) => (
          <div key={row.id} className="flex items-center justify-between gap-4 py-2">
            <dt className="text-sm">{row.label}</dt>
            <dd className="flex shrink-0 gap-1">
              {row.keys.map((key) => (
                <kbd key={key} className="min-w-7 rounded-md border border-line bg-surface px-1.5 py-0.5 text-center font-sans text-xs text-muted">
                  {key}
                </kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
