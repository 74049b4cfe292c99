import { useTranslation } from "react-i18next";

/** The service says these in English only. */
const NOTES = {
  "The embedded model is loading.": "chat.embeddedLoading",
  "A small demonstration model that runs inside this service and speaks English; it is often wrong. For a better one set OPENAI_API_KEY or OPENAI_BASE_URL.":
    "chat.embeddedNote",
  "Runs inside this service, from the file that LOCAL_MODEL_PATH names. To ask another model, set OPENAI_API_KEY or OPENAI_BASE_URL.":
    "chat.embeddedOwnNote",
} as const;

/** The sentences whose words the page has in its own languages. */
export const KNOWN_NOTES = Object.keys(NOTES);

/** A function for what the service notes: in the page's language where the sentence is the service's own. */
export function useServiceNote(): (note: string) => string {
  const { t } = useTranslation();
  return (note) => (Object.hasOwn(NOTES, note) ? t(NOTES[note as keyof typeof NOTES]) : note);
}
