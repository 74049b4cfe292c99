import { useEffect, useRef, useState, type KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";
import { GrownTextarea } from "@/features/chat/grown-textarea";
import { lengthOf, MAX_MESSAGE_CHARS } from "@/features/chat/message-length";
import { useSendKey } from "@/features/chat/use-send-key";
import { Button } from "@/ui/button";

/** A question in its place, to be asked in other words. Nothing is overwritten: it becomes another version. */
export function EditForm({
  text,
  busy,
  onSave,
  onCancel,
}: {
  text: string;
  busy: boolean;
  onSave: (text: string) => void;
  onCancel: () => void;
}) {
  const { t } = useTranslation();
  const [edited, setEdited] = useState(text);
  const box = useRef<HTMLTextAreaElement>(null);
  const over = lengthOf(edited) - MAX_MESSAGE_CHARS;
  const savable = edited.trim() !== "" && over <= 0 && !busy;
  const save = (): void => {
    if (savable) onSave(edited);
  };
  const sendKeys = useSendKey(save);

  useEffect(() => {
    box.current?.focus();
    box.current?.setSelectionRange(text.length, text.length);
  }, [text.length]);

  function pressed(event: KeyboardEvent): void {
    if (event.key === "Escape" && !event.nativeEvent.isComposing) {
      event.preventDefault();
      onCancel();
    } else {
      sendKeys.onKeyDown(event);
    }
  }

  return (
    <form
      className="w-full rounded-2xl border border-edge bg-raised p-2 focus-within:border-accent"
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
    >
      <GrownTextarea
        box={box}
        aria-label={t("chat.editMessage")}
        aria-invalid={over > 0}
        className="max-h-[50dvh] min-h-9 w-full bg-transparent px-2 py-1 outline-none"
        value={edited}
        onChange={(event) => setEdited(event.target.value)}
        {...sendKeys}
        onKeyDown={pressed}
      />
      {over > 0 && (
        <p role="status" className="px-2 pb-1 text-sm text-danger">
          {t("chat.tooLong", { over, most: MAX_MESSAGE_CHARS })}
        </p>
      )}
      <div className="flex justify-end gap-2">
        <Button kind="quiet" onClick={onCancel}>
          {t("shell.cancel")}
        </Button>
        <Button type="submit" kind="primary" aria-disabled={!savable}>
          {t("chat.editSend")}
        </Button>
      </div>
    </form>
  );
}
