import { useState } from "react";
import { useTranslation } from "react-i18next";
import { AnswerEndNotice } from "@/features/chat/answer-end";
import { AnswerFoot } from "@/features/chat/answer-foot";
import type { Entry } from "@/features/chat/entry";
import type { MessageActions } from "@/features/chat/message-actions";
import { Reasoning } from "@/features/chat/reasoning";
import { useRun } from "@/features/chat/use-conversation";
import { Waiting } from "@/features/chat/waiting";
import type { Part } from "@/transcript/transcript";
import { Markdown } from "@/ui/markdown/markdown";

interface AnswerProps {
  entry: Entry;
  last: boolean;
  busy: boolean;
  actions: MessageActions;
}

/** What a model said. */
export function Answer(props: AnswerProps) {
  // One that was watched stays what it is when it ends, so that nothing of it is drawn anew.
  const [runId] = useState(props.entry.runId);
  return runId === null ? <Written {...props} parts={props.entry.parts} /> : <Watched {...props} runId={runId} />;
}

function Watched({ runId, ...props }: AnswerProps & { runId: string }) {
  const { transcript, link } = useRun(runId);
  const live = props.entry.state === "live";
  const parts = live || props.entry.parts.length === 0 ? transcript.parts : props.entry.parts;
  return (
    <>
      <Written {...props} parts={parts} />
      {live && <Waiting transcript={transcript} link={link} />}
    </>
  );
}

function Written({ entry, parts, last, busy, actions }: AnswerProps & { parts: readonly Part[] }) {
  const { t } = useTranslation();
  const live = entry.state === "live";
  const text = parts.flatMap((part) => (part.kind === "text" ? [part.text] : [])).join("\n\n");
  const { message } = entry;
  return (
    <div className="flex flex-col gap-2">
      {message?.left_out ? <p className="text-sm text-muted">{t("chat.leftOut", { count: message.left_out })}</p> : null}
      {parts.map((part, index) => (
        // A part is its number.
        // oxlint-disable-next-line react/no-array-index-key
        <WrittenPart key={index} part={part} open={live && index === parts.length - 1} />
      ))}
      {!live && message && (
        <>
          <AnswerEndNotice message={message} text={text} busy={busy} actions={actions} />
          <AnswerFoot message={message} text={text} last={last} busy={busy} actions={actions} />
        </>
      )}
    </div>
  );
}

function WrittenPart({ part, open }: { part: Part; open: boolean }) {
  return part.kind === "reasoning" ? <Reasoning text={part.text} open={open} /> : <Markdown text={part.text} open={open} />;
}
