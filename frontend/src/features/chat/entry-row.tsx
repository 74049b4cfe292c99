import { clsx } from "clsx";
import { memo } from "react";
import { useTranslation } from "react-i18next";
import { Answer } from "@/features/chat/answer";
import type { Entry } from "@/features/chat/entry";
import type { MessageActions } from "@/features/chat/message-actions";
import { Question } from "@/features/chat/question";

interface EntryRowProps {
  entry: Entry;
  last: boolean;
  /** It is what was searched for. */
  marked: boolean;
  busy: boolean;
  actions: MessageActions;
}

/** One message of the conversation. */
export const EntryRow = memo(function EntryRow({ entry, last, marked, busy, actions }: EntryRowProps) {
  const { t } = useTranslation();
  const headingId = `entry-${entry.id}`;
  return (
    <article
      aria-labelledby={headingId}
      data-role={entry.role}
      data-state={entry.state}
      className={clsx("group/entry mx-auto w-full max-w-[46rem] px-4 sm:px-5", entry.role === "user" ? "pt-4" : "pb-2", marked && "rounded-2xl bg-mark/40")}
    >
      <h2 id={headingId} className="sr-only">
        {t(entry.role === "user" ? "chat.you" : "chat.assistant")}
      </h2>
      {entry.role === "user" ? (
        <Question entry={entry} busy={busy} actions={actions} />
      ) : (
        <Answer entry={entry} last={last} busy={busy} actions={actions} />
      )}
    </article>
  );
});
