import { ArrowUp, Square } from "lucide-react";
import { clsx } from "clsx";
import { useEffect, useId, useRef, useState, type ClipboardEvent, type DragEvent } from "react";
import { useTranslation } from "react-i18next";
import { setDraft, useDraft } from "@/features/chat/drafts";
import { GrownTextarea } from "@/features/chat/grown-textarea";
import { lengthOf, MAX_MESSAGE_CHARS, MAX_PASTE_CHARS } from "@/features/chat/message-length";
import { useSendKey, useSendKeyPreference } from "@/features/chat/use-send-key";
import { IconButton } from "@/ui/button";

const COUNTED_FROM = MAX_MESSAGE_CHARS * 0.9; // nearer than this to the limit, the count is shown

interface ComposerProps {
  conversationId: string | undefined;
  /** An answer is being written: typing goes on, sending waits. */
  busy: boolean;
  /** Nothing can be sent at all, such as while the conversation is loading. */
  disabled?: boolean;
  onSend: (text: string) => void;
  onStop: () => void;
}

/** Where a message is written. What is typed is kept until it is sent. */
export function Composer({ conversationId, busy, disabled = false, onSend, onStop }: ComposerProps) {
  const { t } = useTranslation();
  const text = useDraft(conversationId);
  const [refused, setRefused] = useState(0);
  const box = useRef<HTMLTextAreaElement>(null);
  const noteId = useId();
  const length = text.length >= COUNTED_FROM ? lengthOf(text) : text.length;
  const tooLong = length > MAX_MESSAGE_CHARS;
  const sendable = text.trim() !== "" && !tooLong && !busy && !disabled;

  function send(): void {
    if (!sendable) return;
    setDraft(conversationId, "");
    setRefused(0);
    onSend(text);
    if (!isTouch()) box.current?.focus();
  }

  const sendKeys = useSendKey(send);

  useEffect(() => {
    if (!isTouch()) box.current?.focus({ preventScroll: true });
  }, []);

  function take(event: ClipboardEvent | DragEvent, data: DataTransfer | null): void {
    const pasted = data?.getData("text/plain") ?? "";
    const fits = pasted.length + text.length <= MAX_PASTE_CHARS;
    setRefused(fits ? 0 : lengthOf(pasted));
    if (!fits) event.preventDefault();
  }

  const note = refused
    ? t("chat.pasteTooLong", { count: refused, most: MAX_MESSAGE_CHARS })
    : tooLong
      ? t("chat.tooLong", { over: length - MAX_MESSAGE_CHARS, most: MAX_MESSAGE_CHARS })
      : null;

  return (
    <form
      className="mx-auto w-full max-w-[48rem] px-3 pb-[max(0.75rem,env(safe-area-inset-bottom))] sm:px-4"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <div
        className={clsx(
          "flex items-end gap-1 rounded-2xl border bg-raised p-1.5 shadow-sm transition-colors focus-within:border-accent",
          note ? "border-danger" : "border-edge",
        )}
      >
        <GrownTextarea
          box={box}
          aria-label={t("chat.message")}
          aria-describedby={noteId}
          aria-invalid={tooLong}
          className="max-h-[40dvh] min-h-9 flex-1 bg-transparent px-2.5 py-1.5 outline-none placeholder:text-muted pointer-coarse:min-h-11 pointer-coarse:py-2.5"
          placeholder={t("chat.placeholder")}
          enterKeyHint="enter"
          value={text}
          onChange={(event) => {
            setRefused(0);
            setDraft(conversationId, event.target.value);
          }}
          onPaste={(event) => take(event, event.clipboardData)}
          onDrop={(event) => take(event, event.dataTransfer)}
          {...sendKeys}
        />
        {busy && (
          <IconButton label={t("chat.stop")} kind="plain" className="shrink-0 rounded-xl!" onClick={onStop}>
            <Square aria-hidden className="fill-current" />
          </IconButton>
        )}
        {/* Not `disabled`: who has just sent by it keeps the focus. */}
        <IconButton type="submit" label={t("chat.send")} kind="primary" aria-disabled={!sendable} className="shrink-0 rounded-xl!">
          <ArrowUp aria-hidden />
        </IconButton>
      </div>
      <div className="flex justify-between gap-4 px-2 pt-1 text-xs text-muted">
        <p id={noteId} role="status" className={clsx("min-h-4", note && "text-danger")}>
          {note ?? <Hint />}
        </p>
        {length >= COUNTED_FROM && (
          <p className={clsx("shrink-0 tabular-nums", tooLong && "text-danger")}>
            {t("chat.count", { count: length, most: MAX_MESSAGE_CHARS })}
          </p>
        )}
      </div>
    </form>
  );
}

function Hint() {
  const { t } = useTranslation();
  const sendKey = useSendKeyPreference();
  if (isTouch()) return null;
  const key = /Mac|iP/.test(navigator.userAgent) ? "⌘" : "Ctrl";
  return <span className="max-sm:hidden">{sendKey === "enter" ? t("chat.hintEnter") : t("chat.hintMod", { key })}</span>;
}

/** On phones, focus brings up a keyboard that hides half of the page. */
function isTouch(): boolean {
  return matchMedia("(hover: none) and (pointer: coarse)").matches;
}
