import { useTranslation } from "react-i18next";
import { useConnection } from "@/api/connection";
import type { Link } from "@/api/runs";
import { useServiceNote } from "@/features/chat/service-note";
import { useOnline } from "@/lib/use-online";
import type { Transcript } from "@/transcript/transcript";

/** Below an answer that is being written: what is waited for. The line has its room also when it says nothing. */
export function Waiting({ transcript, link }: { transcript: Transcript; link: Link }) {
  const { t } = useTranslation();
  const noteOf = useServiceNote();
  const isReached = useConnection(({ reached }) => reached);
  const isOnline = useOnline();
  // A connection over a network that has gone keeps quiet for long before it breaks; other requests have shown it by then.
  const way = isReached || isOnline ? link : "offline";
  const empty = transcript.parts.length === 0;
  let sentence = "";
  if (way !== "open") sentence = t(`chat.${way}`);
  else if (empty && transcript.status !== "failed") sentence = transcript.note === null ? t("chat.waiting") : noteOf(transcript.note);
  return (
    <p className="mt-2 flex min-h-9 items-center gap-2.5 text-sm text-muted">
      <span aria-hidden className="size-2 shrink-0 animate-pulse rounded-full bg-accent" />
      <span className="animate-[fade-in_200ms_400ms_both]">{sentence}</span>
    </p>
  );
}
