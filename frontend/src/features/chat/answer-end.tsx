import { useTranslation } from "react-i18next";
import type { MessageBody } from "@/api/generated";
import { sentenceOf } from "@/api/sentence";
import type { MessageActions } from "@/features/chat/message-actions";
import { unreachable } from "@/lib/unreachable";
import { Button } from "@/ui/button";
import { Notice } from "@/ui/notice";

/** How an answer ended, where that is more than "it is complete": a sentence, and what can be done. */
export type AnswerEnd =
  | { kind: "complete" }
  | { kind: "length" | "filtered" | "interrupted" | "interruptedEmpty" | "cancelled" | "noAnswer"; goesOn: boolean }
  | { kind: "failed"; error: unknown; goesOn: boolean };

export function endOf(message: MessageBody, text: string): AnswerEnd {
  const goesOn = text !== "";
  switch (message.status) {
    case "failed":
      return { kind: "failed", error: message.error, goesOn };
    case "interrupted":
      return { kind: goesOn ? "interrupted" : "interruptedEmpty", goesOn };
    case "cancelled":
      return { kind: "cancelled", goesOn };
    case "completed":
      if (message.finish_reason === "length") return { kind: "length", goesOn };
      if (message.finish_reason === "content_filter") return { kind: "filtered", goesOn: false };
      return goesOn ? { kind: "complete" } : { kind: "noAnswer", goesOn };
    case "queued":
    case "running":
    case null:
    case undefined:
      return { kind: "complete" };
    default:
      return unreachable(message.status);
  }
}

export function AnswerEndNotice({
  message,
  text,
  busy,
  actions,
}: {
  message: MessageBody;
  text: string;
  busy: boolean;
  actions: MessageActions;
}) {
  const { t } = useTranslation();
  const end = endOf(message, text);
  if (end.kind === "complete") return null;
  return (
    <Notice
      tone={end.kind === "failed" ? "danger" : "plain"}
      actions={
        <>
          {end.goesOn && (
            <Button disabled={busy} onClick={() => actions.goOn(message.id)}>
              {t("chat.goOn")}
            </Button>
          )}
          {end.kind !== "length" && (
            <Button disabled={busy} onClick={() => actions.retry(message.id)}>
              {t("chat.retry")}
            </Button>
          )}
        </>
      }
    >
      {end.kind === "failed" ? sentenceOf(end.error) : t(`chat.${end.kind}`)}
    </Notice>
  );
}
