import { useTranslation } from "react-i18next";
import { keysOf } from "@/features/help/shortcuts";
import { usePreferences, type Language, type SendKey, type Theme } from "@/lib/preferences";
import { Choice } from "@/ui/field";

/** Language, theme, and what sends a message. Everything holds at once. */
export function GeneralSection() {
  const { t } = useTranslation();
  const { language, theme, sendKey } = usePreferences();
  return (
    <div className="flex flex-col gap-7">
      <Choice<Language | "browser">
        label={t("settings.general.language")}
        value={language ?? "browser"}
        options={[
          { value: "browser", label: t("settings.general.browser") },
          // Each in its own words, for whoever does not read the other.
          { value: "en", label: "English" },
          { value: "ko", label: "한국어" },
        ]}
        onChange={(chosen) => usePreferences.setState({ language: chosen === "browser" ? null : chosen })}
      />
      <Choice<Theme>
        label={t("settings.general.theme")}
        value={theme}
        options={[
          { value: "system", label: t("settings.general.system") },
          { value: "light", label: t("settings.general.light") },
          { value: "dark", label: t("settings.general.dark") },
        ]}
        onChange={(chosen) => usePreferences.setState({ theme: chosen })}
      />
      <div className="flex flex-col gap-1.5">
        <Choice<SendKey>
          label={t("settings.general.sendKey")}
          value={sendKey}
          options={[
            { value: "enter", label: "Enter" },
            { value: "mod-enter", label: keysOf({ mod: true, key: "Enter" }).join(" + ") },
          ]}
          onChange={(chosen) => usePreferences.setState({ sendKey: chosen })}
        />
        <p className="text-sm text-muted">{t("settings.general.sendKeyHint")}</p>
      </div>
    </div>
  );
}
