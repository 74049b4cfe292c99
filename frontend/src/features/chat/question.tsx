import { Check, Copy, Pencil } from "lucide-react";
import { clsx } from "clsx";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { sentenceOf } from "@/api/sentence";
import { EditForm } from "@/features/chat/edit-form";
import type { Entry } from "@/features/chat/entry";
import { ACTIONS, type MessageActions } from "@/features/chat/message-actions";
import { Versions } from "@/features/chat/versions";
import { Button, IconButton } from "@/ui/button";
import { Notice } from "@/ui/notice";
import { useCopy } from "@/ui/use-copy";

const LONG_CHARS = 1_500; // beyond this, or so many lines, a question is folded
const LONG_LINES = 20;

/** What a person said. */
export function Question({ entry, busy, actions }: { entry: Entry; busy: boolean; actions: MessageActions }) {
  const { t } = useTranslation();
  const [editing, setEditing] = useState(false);
  const editButton = useRef<HTMLButtonElement>(null);
  const text = entry.parts.map((part) => part.text).join("\n\n");
  const { copied, copy } = useCopy(text);

  function stopEditing(): void {
    setEditing(false);
    requestAnimationFrame(() => editButton.current?.focus());
  }

  if (editing) {
    return (
      <EditForm
        text={text}
        busy={busy}
        onCancel={stopEditing}
        onSave={(edited) => {
          setEditing(false);
          if (edited !== text) actions.edit(entry.id, edited);
        }}
      />
    );
  }
  return (
    <div className="flex flex-col items-end gap-1.5">
      <Bubble text={text} faint={entry.state === "sending"} />
      {entry.state === "unsent" && (
        <Notice
          tone="danger"
          alert
          actions={
            <>
              <Button onClick={() => actions.resend(entry.id)}>{t("chat.sendAgain")}</Button>
              <Button onClick={() => actions.takeBack(entry.id, text)}>{t("chat.takeBack")}</Button>
            </>
          }
        >
          {sentenceOf(entry.problem)}
        </Notice>
      )}
      {entry.state === "done" && entry.message && (
        <div className={clsx("flex items-center", ACTIONS)}>
          <IconButton label={t(copied ? "chat.copied" : "chat.copy")} onClick={copy}>
            {copied ? <Check aria-hidden /> : <Copy aria-hidden />}
          </IconButton>
          <IconButton ref={editButton} label={t("chat.edit")} aria-disabled={busy} onClick={() => !busy && setEditing(true)}>
            <Pencil aria-hidden />
          </IconButton>
          <Versions message={entry.message} disabled={busy} onShow={actions.show} />
        </div>
      )}
    </div>
  );
}

function Bubble({ text, faint }: { text: string; faint: boolean }) {
  const { t } = useTranslation();
  const [shown, setShown] = useState(false);
  const long = text.length > LONG_CHARS || text.split("\n", LONG_LINES + 1).length > LONG_LINES;
  return (
    <div className={clsx("max-w-[85%] rounded-2xl bg-hover px-4 py-2.5 transition-opacity", faint && "opacity-70")}>
      <p className={clsx("leading-[1.65] whitespace-pre-wrap", long && !shown && "line-clamp-[12]")}>{text}</p>
      {long && (
        <button type="button" aria-expanded={shown} className="mt-1 min-h-6 text-sm font-medium text-accent hover:underline" onClick={() => setShown(!shown)}>
          {t(shown ? "chat.showLess" : "chat.showAll")}
        </button>
      )}
    </div>
  );
}
