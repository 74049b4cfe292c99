import { useRef, type KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";
import { isComposing } from "@/features/conversations/composing";

const MAX_TITLE_CHARS = 200; // as the service takes them

interface RenameFieldProps {
  title: string;
  onSave: (title: string) => void;
  /** `byKey`: the focus was here, and needs a new place. */
  onClose: (byKey: boolean) => void;
}

/** The name of a conversation, being changed. Enter or going elsewhere saves, Escape leaves it as it was, and so does nothing. */
export function RenameField({ title, onSave, onClose }: RenameFieldProps) {
  const { t } = useTranslation();
  const closed = useRef(false);

  function close(typed: string, byKey: boolean): void {
    if (closed.current) return; // taking the field away blurs it
    closed.current = true;
    const name = typed.trim();
    if (name && name !== title) onSave(name);
    onClose(byKey);
  }

  function onKeyDown(event: KeyboardEvent<HTMLInputElement>): void {
    if (isComposing(event)) return;
    if (event.key === "Enter") close(event.currentTarget.value, true);
    if (event.key === "Escape") {
      event.stopPropagation(); // the drawer around it stays
      close(title, true);
    }
  }

  return (
    <input
      ref={select}
      aria-label={t("conversations.renameField")}
      dir="auto"
      defaultValue={title}
      maxLength={MAX_TITLE_CHARS}
      autoComplete="off"
      enterKeyHint="done"
      onKeyDown={onKeyDown}
      onBlur={(event) => close(event.currentTarget.value, false)}
      className="min-h-9 w-full rounded-lg border border-edge bg-paper px-3 text-sm -outline-offset-2 pointer-coarse:min-h-11 pointer-coarse:text-base"
    />
  );
}

function select(input: HTMLInputElement | null): void {
  input?.focus();
  input?.select();
}
