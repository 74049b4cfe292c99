import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { usePatchConversation } from "@/api/conversations";
import { loadPart } from "@/api/parts";
import { keys } from "@/api/query-keys";
import { sentenceOf } from "@/api/sentence";
import { Announcer } from "@/features/chat/announcer";
import { discardUnsent } from "@/features/chat/asking";
import { ChatHeader } from "@/features/chat/chat-header";
import { Empty, Failed, Loading, Missing } from "@/features/chat/chat-states";
import { Composer } from "@/features/chat/composer";
import { putBack, takeDraftAlong } from "@/features/chat/drafts";
import type { FirstSettings } from "@/features/chat/entry";
import type { MessageActions } from "@/features/chat/message-actions";
import { useConversation, type Chat } from "@/features/chat/use-conversation";
import { useStopKey } from "@/features/chat/use-stop-key";
import { Welcome } from "@/features/chat/welcome";
import { later } from "@/ui/markdown/later";
import { showToast } from "@/ui/toast";

// Not part of the first load: the first screen of a visit shows no message.
const messageList = later(() => loadPart(async () => (await import("@/features/chat/message-list")).drawMessageList), { required: true });

async function loadWhatAnswersNeed(): Promise<void> {
  messageList.load();
  (await import("@/ui/markdown/markdown")).loadMarkdown();
}

interface ChatPageProps {
  conversationId?: string;
  /** A message to scroll to, from a search. */
  messageId?: string | undefined;
}

/** A conversation, or the beginning of one. */
export function ChatPage({ conversationId, messageId }: ChatPageProps) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const onCreated = useCallback(
    (id: string) => void navigate({ to: "/c/$conversationId", params: { conversationId: id }, replace: true }),
    [navigate],
  );
  const chat = useConversation(conversationId, { onCreated });
  const { conversation, phase, entries, busy } = chat;
  const [first, setFirst] = useState<FirstSettings>({});
  const settings = conversation ?? first;
  const change = useChange(conversationId, setFirst);
  const retry = useRefetch(conversationId);
  const { asked, ask, actions } = useAsking(chat, conversationId);
  useStopKey(busy, chat.stop);
  useEffect(() => {
    loadWhatAnswersNeed().catch(() => undefined); // without network: whoever shows a message tries again
  }, []);

  const drawMessages = messageList.use(entries.length > 0);
  const isNew = phase === "new" && entries.length === 0;
  const isHere = phase === "new" || phase === "ready" || entries.length > 0; // else nothing is known of its title yet
  return (
    <div className="flex h-full flex-col">
      <ChatHeader title={isHere ? conversation?.title || t("chat.newTitle") : t("shell.name")} settings={settings} onChange={change} />
      {entries.length > 0 && drawMessages ? (
        drawMessages({
          entries,
          hasOlder: chat.hasOlder,
          loadingOlder: chat.loadingOlder,
          loadOlder: chat.loadOlder,
          messageId,
          busy,
          asked,
          actions,
        })
      ) : (
        <div className="min-h-0 flex-1 overflow-y-auto">
          {isNew && <Welcome model={settings.model ?? null} />}
          {(phase === "loading" || entries.length > 0) && <Loading />}
          {phase === "missing" && <Missing onStart={() => takeWordsAlong(conversationId)} />}
          {phase === "failed" && <Failed problem={chat.problem} onRetry={retry} />}
          {phase === "ready" && entries.length === 0 && <Empty />}
        </div>
      )}
      {phase !== "missing" && (
        <Composer
          conversationId={conversationId}
          busy={busy}
          disabled={phase === "loading" || phase === "failed"}
          onSend={(text) => ask(text, isNew ? first : undefined)}
          onStop={chat.stop}
        />
      )}
      <Announcer entries={entries} />
    </div>
  );
}

/** What was written in a conversation that is gone, sent in vain or not sent, begins the next one. */
function takeWordsAlong(conversationId: string | undefined): void {
  if (conversationId === undefined) return;
  takeDraftAlong(conversationId);
  for (const text of discardUnsent(conversationId).toReversed()) putBack(undefined, text);
}

/** How the conversation is asked from now on; of one that is not there yet, how it will be begun. */
function useChange(conversationId: string | undefined, setFirst: (change: (before: FirstSettings) => FirstSettings) => void) {
  const { mutate } = usePatchConversation();
  return useCallback(
    (change: FirstSettings): void => {
      if (conversationId === undefined) {
        setFirst((before) => ({ ...before, ...change }));
        return;
      }
      const { model, system, temperature, max_tokens } = change;
      const patch = { model, system, temperature, max_tokens };
      mutate(
        { id: conversationId, patch: Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined)) },
        { onError: (error) => showToast({ id: "settings", tone: "danger", text: sentenceOf(error) }) },
      );
    },
    [conversationId, mutate, setFirst],
  );
}

function useRefetch(conversationId: string | undefined): () => void {
  const queries = useQueryClient();
  return useCallback(() => {
    if (conversationId === undefined) return;
    void queries.refetchQueries({ queryKey: keys.conversation(conversationId) });
    void queries.refetchQueries({ queryKey: keys.messages(conversationId) });
  }, [queries, conversationId]);
}

/** What asks the model, counted; and the rest of what can be done with a message. */
function useAsking(chat: Chat, conversationId: string | undefined) {
  const { ask, retry, edit, goOn, show, resend, discard } = chat;
  const [asked, setAsked] = useState(0);
  const counted = useCallback(<Words extends unknown[]>(act: (...words: Words) => void) => {
    return (...words: Words): void => {
      setAsked((before) => before + 1);
      act(...words);
    };
  }, []);
  const actions: MessageActions = useMemo(
    () => ({
      retry: counted(retry),
      edit: counted(edit),
      goOn: counted(goOn),
      resend: counted(resend),
      show,
      takeBack: (id, text) => {
        discard(id);
        putBack(conversationId, text);
      },
    }),
    [counted, retry, edit, goOn, show, resend, discard, conversationId],
  );
  return { asked, ask: counted(ask), actions };
}
