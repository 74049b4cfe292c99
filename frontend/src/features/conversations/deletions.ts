import i18next from "i18next";
import { create } from "zustand";
import { ApiError } from "@/api/client";
import { deleteConversation } from "@/api/conversations";
import { sentenceOf } from "@/api/sentence";
import { due, held, nextDue, NONE, reduce, type DeleteEvent, type PendingDeletes } from "@/features/conversations/pending-deletes";
import { quoted } from "@/features/conversations/title";
import { hideToast, showToast } from "@/ui/toast";

/** The deletions of this tab; what is in here is shown on no list. */
export const usePendingDeletes = create<{ pending: PendingDeletes }>()(() => ({ pending: NONE }));

const titles = new Map<string, string>(); // for what is said about them
let timer: ReturnType<typeof setTimeout> | undefined;

/** Take a conversation away at once, and have it deleted when the time to undo it is over, or the page goes. */
export function deleteWithUndo(id: string, title: string): void {
  titles.set(id, quoted(title));
  apply({ type: "asked", id, now: performance.now() });
  showToast({
    id: toastOf(id),
    text: i18next.t("conversations.deletedToast", { title: quoted(title) }),
    action: { label: i18next.t("conversations.undo"), onAction: () => undo(id) },
  });
}

function undo(id: string): void {
  hideToast(toastOf(id));
  apply({ type: "undone", id });
}

function apply(event: DeleteEvent): void {
  const pending = reduce(usePendingDeletes.getState().pending, event);
  usePendingDeletes.setState({ pending });
  watch();
}

/** Be called when the next one is due, or the page goes; as long as one is held back. */
function watch(): void {
  clearTimeout(timer);
  const next = nextDue(usePendingDeletes.getState().pending);
  if (next === undefined) {
    removeEventListener("pagehide", sendHeld);
  } else {
    timer = setTimeout(sendDue, next - performance.now());
    addEventListener("pagehide", sendHeld);
  }
}

function sendDue(): void {
  for (const id of due(usePendingDeletes.getState().pending, performance.now())) void send(id, false);
  watch(); // timers may ring a moment early
}

/** Whoever is here goes, or the page: nobody can undo any more, and only a request that outlives it arrives. */
export async function sendHeld(): Promise<void> {
  await Promise.all(held(usePendingDeletes.getState().pending).map(({ id }) => send(id, true)));
}

async function send(id: string, keepalive: boolean): Promise<void> {
  apply({ type: "sent", id });
  hideToast(toastOf(id));
  try {
    await deleteConversation(id, { keepalive });
    apply({ type: "deleted", id });
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) apply({ type: "deleted", id });
    else giveBack(id, error);
  }
}

function giveBack(id: string, error: unknown): void {
  apply({ type: "refused", id });
  const said = { title: titles.get(id) ?? "", reason: sentenceOf(error) };
  showToast({ id: toastOf(id), tone: "danger", text: i18next.t("conversations.deleteFailed", said) });
}

function toastOf(id: string): string {
  return `delete-${id}`;
}
