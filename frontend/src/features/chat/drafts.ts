import { create } from "zustand";
import { MAX_PASTE_CHARS } from "@/features/chat/message-length";

const PREFIX = "draft:";
const NEW = "new";

/** What was typed and not sent, by conversation. Kept in this tab: a reload keeps it, and closing the tab forgets it. */
const useDrafts = create<Record<string, string>>()(() => ({}));

function keyOf(conversationId: string | undefined): string {
  return conversationId ?? NEW;
}

/** The draft of a conversation, or of a new one. */
export function useDraft(conversationId: string | undefined): string {
  const key = keyOf(conversationId);
  return useDrafts((drafts) => drafts[key]) ?? stored(key);
}

export function setDraft(conversationId: string | undefined, text: string): void {
  const key = keyOf(conversationId);
  useDrafts.setState({ [key]: text });
  try {
    if (text === "" || text.length > MAX_PASTE_CHARS) sessionStorage.removeItem(PREFIX + key);
    else sessionStorage.setItem(PREFIX + key, text);
  } catch {
    // Storage that is full or closed: the draft lives as long as the page.
  }
}

/** Put back what was taken out of the conversation, before anything that was typed since. */
export function putBack(conversationId: string | undefined, text: string): void {
  const typed = draftOf(conversationId);
  setDraft(conversationId, typed.trim() ? `${text}\n\n${typed}` : text);
}

/** Take what was typed in a conversation that is gone along to a new one. */
export function takeDraftAlong(conversationId: string): void {
  const typed = draftOf(conversationId);
  if (!typed.trim()) return;
  setDraft(conversationId, "");
  putBack(undefined, typed);
}

function draftOf(conversationId: string | undefined): string {
  const key = keyOf(conversationId);
  return useDrafts.getState()[key] ?? stored(key);
}

function stored(key: string): string {
  try {
    return sessionStorage.getItem(PREFIX + key) ?? "";
  } catch {
    return "";
  }
}
