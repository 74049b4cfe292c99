import { useEffect } from "react";
import { useTranslation } from "react-i18next";

/** Name the document after what is open. Without `text`: after the service alone. */
export function useTitle(text?: string | null): void {
  const { t } = useTranslation();
  const name = t("shell.name");
  useEffect(() => {
    document.title = text ? `${text} · ${name}` : name;
  }, [text, name]);
}
