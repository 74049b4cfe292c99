import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { FirstSettings } from "@/features/chat/entry";
import { readMaxTokens, readTemperature } from "@/features/chat/settings-numbers";
import { Button } from "@/ui/button";
import Dialog from "@/ui/dialog";
import { TextArea, TextField } from "@/ui/field";

const MAX_SYSTEM_CHARS = 100_000; // the service's own

interface SettingsDialogProps {
  settings: FirstSettings;
  onSave: (change: FirstSettings) => void;
  onClose: () => void;
}

/** System text and parameters of this conversation. */
export default function SettingsDialog({ settings, onSave, onClose }: SettingsDialogProps) {
  const { t } = useTranslation();
  const [system, setSystem] = useState(settings.system ?? "");
  const [temperature, setTemperature] = useState(String(settings.temperature ?? ""));
  const [maxTokens, setMaxTokens] = useState(String(settings.max_tokens ?? ""));
  const [checked, setChecked] = useState(false);
  const read = { temperature: readTemperature(temperature), maxTokens: readMaxTokens(maxTokens) };

  function save(): void {
    setChecked(true);
    if (read.temperature === undefined || read.maxTokens === undefined) return;
    onSave({ system: system.trim() === "" ? null : system, temperature: read.temperature, max_tokens: read.maxTokens });
    onClose();
  }

  return (
    <Dialog title={t("chat.settings")} about={t("chat.settingsAbout")} onClose={onClose}>
      <form
        className="flex flex-col gap-5"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          save();
        }}
      >
        <TextArea
          label={t("chat.system")}
          hint={t("chat.systemHint")}
          maxLength={MAX_SYSTEM_CHARS}
          value={system}
          onChange={(event) => setSystem(event.target.value)}
        />
        <TextField
          label={t("chat.temperature")}
          hint={t("chat.temperatureHint")}
          problem={checked && read.temperature === undefined ? t("chat.temperatureWrong") : undefined}
          inputMode="decimal"
          value={temperature}
          onChange={(event) => setTemperature(event.target.value)}
        />
        <TextField
          label={t("chat.maxTokens")}
          hint={t("chat.maxTokensHint")}
          problem={checked && read.maxTokens === undefined ? t("chat.maxTokensWrong") : undefined}
          inputMode="numeric"
          value={maxTokens}
          onChange={(event) => setMaxTokens(event.target.value)}
        />
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t("shell.cancel")}</Button>
          <Button type="submit" kind="primary">
            {t("chat.save")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
