import { Check, Copy, RefreshCw } from "lucide-react";
import { clsx } from "clsx";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import type { MessageBody } from "@/api/generated";
import { modelsQuery } from "@/api/models";
import { ACTIONS, type MessageActions } from "@/features/chat/message-actions";
import { Versions } from "@/features/chat/versions";
import { IconButton } from "@/ui/button";
import { useCopy } from "@/ui/use-copy";

interface AnswerFootProps {
  message: MessageBody;
  text: string;
  /** The last message's are always in view; the others' when pointed at. */
  last: boolean;
  busy: boolean;
  actions: MessageActions;
}

/** Below an answer: what can be done with it, who wrote it, and what it took. */
export function AnswerFoot({ message, text, last, busy, actions }: AnswerFootProps) {
  const { t } = useTranslation();
  const { copied, copy } = useCopy(text);
  return (
    <div className={clsx("-ms-2 flex min-h-9 flex-wrap items-center gap-x-1", !last && ACTIONS)}>
      {text !== "" && (
        <IconButton label={t(copied ? "chat.copied" : "chat.copy")} onClick={copy}>
          {copied ? <Check aria-hidden /> : <Copy aria-hidden />}
        </IconButton>
      )}
      <IconButton label={t("chat.retry")} aria-disabled={busy} onClick={() => !busy && actions.retry(message.id)}>
        <RefreshCw aria-hidden />
      </IconButton>
      <Versions message={message} disabled={busy} onShow={actions.show} />
      <p className="flex flex-wrap gap-x-3 ps-2 text-xs text-muted">
        {message.model && <ModelName id={message.model} />}
        {message.usage && (
          <span className="tabular-nums">
            {t("chat.tokens", { input: message.usage.input_tokens, output: message.usage.output_tokens })}
          </span>
        )}
      </p>
    </div>
  );
}

/** A model by the name that people know; one that is gone, by its id. */
function ModelName({ id }: { id: string }) {
  const { data: models } = useQuery(modelsQuery);
  return <span title={id}>{models?.find((model) => model.id === id)?.name ?? id}</span>;
}
