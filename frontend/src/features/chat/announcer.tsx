import { useState } from "react";
import { useTranslation } from "react-i18next";
import { sentenceOf } from "@/api/sentence";
import type { Entry } from "@/features/chat/entry";

/** Tells screen readers that an answer has begun and how it ended; its words are read when one goes there. */
export function Announcer({ entries }: { entries: readonly Entry[] }) {
  const { t } = useTranslation();
  const last = entries.at(-1);
  const live = last?.state === "live" ? last.id : null;
  const [was, setWas] = useState({ live, ended: null as string | null });
  if (was.live !== live) setWas({ live, ended: was.live });

  let sentence = "";
  if (live !== null) sentence = t("chat.started");
  else if (was.ended !== null && was.ended === last?.id) sentence = endSentence(last);
  return (
    <p role="status" className="sr-only">
      {sentence}
    </p>
  );

  function endSentence({ message }: Entry): string {
    if (message?.status === "failed") return sentenceOf(message.error);
    if (message?.status === "cancelled") return t("chat.stopped");
    if (message?.status === "interrupted") return t("chat.interrupted");
    return t("chat.ended");
  }
}
