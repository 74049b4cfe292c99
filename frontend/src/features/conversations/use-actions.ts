import { useRouter } from "@tanstack/react-router";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { usePatchConversation } from "@/api/conversations";
import type { ConversationBody, ConversationChange } from "@/api/generated";
import { sentenceOf } from "@/api/sentence";
import { deleteWithUndo } from "@/features/conversations/deletions";
import { UNDO_SECONDS } from "@/features/conversations/pending-deletes";
import { quoted } from "@/features/conversations/title";
import { hideToast, showToast } from "@/ui/toast";

/** What a person does with a conversation on the list. */
export interface Actions {
  rename: (conversation: ConversationBody, title: string) => void;
  pin: (conversation: ConversationBody, pinned: boolean) => void;
  archive: (conversation: ConversationBody, archived: boolean) => void;
  remove: (conversation: ConversationBody) => void;
}

/** The same ones in every render, so that the items of the list need not be drawn again. */
export function useActions(): Actions {
  const { t } = useTranslation();
  const router = useRouter();
  const { mutateAsync: patch } = usePatchConversation();

  return useMemo(() => {
    const nameOf = (conversation: ConversationBody) => conversation.title || t("conversations.untitled");

    async function change(conversation: ConversationBody, change: ConversationChange): Promise<boolean> {
      try {
        await patch({ id: conversation.id, patch: change });
        return true;
      } catch (error) {
        const said = { title: quoted(nameOf(conversation)), reason: sentenceOf(error) };
        showToast({ id: `change-${conversation.id}`, tone: "danger", text: t("conversations.changeFailed", said) });
        return false;
      }
    }

    async function archive(conversation: ConversationBody, archived: boolean): Promise<void> {
      if (!(await change(conversation, { archived }))) return;
      const id = `archive-${conversation.id}`;
      const text = t(archived ? "conversations.archivedToast" : "conversations.unarchivedToast", {
        title: quoted(nameOf(conversation)),
      });
      const over = setTimeout(() => hideToast(id), UNDO_SECONDS * 1000);
      const onAction = () => {
        clearTimeout(over);
        hideToast(id);
        void change(conversation, { archived: !archived });
      };
      showToast({ id, text, action: { label: t("conversations.undo"), onAction } });
    }

    function remove(conversation: ConversationBody): void {
      deleteWithUndo(conversation.id, nameOf(conversation));
      if (router.state.location.pathname === `/c/${conversation.id}`) void router.navigate({ to: "/" });
    }

    return {
      rename: (conversation, title) => void change(conversation, { title }),
      pin: (conversation, pinned) => void change(conversation, { pinned }),
      archive: (conversation, archived) => void archive(conversation, archived),
      remove,
    };
  }, [t, router, patch]);
}
