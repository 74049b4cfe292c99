import { useQuery, useQueryClient, type QueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useState } from "react";
import { useShallow } from "zustand/react/shallow";
import { ApiError } from "@/api/client";
import { putConversation } from "@/api/conversation-cache";
import { changeConversation, conversationQuery } from "@/api/conversations";
import type { ConversationBody } from "@/api/generated";
import { sentenceOf } from "@/api/sentence";
import { discardAsk, onCreated as listenCreated, resendAsk, resumeAsks, startAsk, stopAsk, stopRun } from "@/features/chat/asking";
import { entriesOf } from "@/features/chat/entries";
import type { Entry, FirstSettings } from "@/features/chat/entry";
import { holdRun } from "@/features/chat/live-runs";
import { holds, messagesQuery, readAbove, readThrough, settleEnd } from "@/features/chat/messages-query";
import { usePendingAsks, type AskKind, type PendingAsk } from "@/features/chat/pending-asks";
import { showToast } from "@/ui/toast";

const NONE: readonly Entry[] = [];

export { useRun } from "@/features/chat/live-runs";

/** A conversation as it is shown, and what a person can do in it. */
export interface Chat {
  conversation: ConversationBody | undefined;
  /** `new`: not begun yet; `missing`: there is none, or it was deleted. */
  phase: "new" | "loading" | "ready" | "missing" | "failed";
  /** Why it `failed`. */
  problem: ApiError | null;
  /** The branch that is shown, oldest first. */
  entries: readonly Entry[];
  hasOlder: boolean;
  loadingOlder: boolean;
  loadOlder: () => void;
  /** A question is on its way, or an answer is being written in the branch that is shown. */
  busy: boolean;
  ask: (text: string, first?: FirstSettings) => void;
  stop: () => void;
  retry: (messageId: string) => void;
  edit: (messageId: string, text: string) => void;
  goOn: (messageId: string) => void;
  /** Show the branch through a message. */
  show: (messageId: string) => void;
  resend: (id: string) => void;
  discard: (id: string) => void;
}

interface Options {
  /** The first question has created its conversation. */
  onCreated?: (conversationId: string) => void;
}

/** Everything about one conversation, or about the beginning of one. */
export function useConversation(conversationId: string | undefined, { onCreated }: Options = {}): Chat {
  const queries = useQueryClient();
  const [createdId, setCreatedId] = useState<string>();
  const id = conversationId ?? createdId;
  const conversation = useQuery({ ...conversationQuery(id ?? ""), enabled: id !== undefined });
  const messages = useQuery({ ...messagesQuery(id ?? ""), enabled: id !== undefined });
  const asks = useAsksOf(id ?? null);
  const items = messages.data?.items;
  const { phase, problem } = phaseOf(id, conversation.error ?? messages.error, conversation.data !== undefined && items !== undefined);
  const isMissing = phase === "missing"; // then what was read of it is not shown any more, nor is more of it read
  const entries = useMemo(() => (isMissing ? NONE : entriesOf(items ?? [], asks)), [isMissing, items, asks]);
  const sending = isMissing ? undefined : asks.find(({ state, runId }) => state === "sending" && runId === null)?.key;
  const older = useOlder(queries, id);

  useEffect(() => resumeAsks(queries), [queries]);
  useEffect(() => {
    if (conversationId !== undefined) return undefined;
    return listenCreated((created) => {
      setCreatedId(created); // what was asked stays on the screen until the other page is there
      onCreated?.(created);
    });
  }, [conversationId, onCreated]);
  useHeldRuns(queries, id, entries);

  return {
    conversation: conversation.data,
    phase,
    problem,
    entries,
    hasOlder: Boolean(messages.data?.next),
    ...older,
    busy: sending !== undefined || entries.at(-1)?.state === "live",
    ...useActions(queries, id ?? null, entries, sending),
  };
}

function useAsksOf(id: string | null): readonly PendingAsk[] {
  return usePendingAsks(useShallow(({ asks }) => asks.filter((ask) => ask.conversationId === id)));
}

function phaseOf(id: string | undefined, error: Error | null, loaded: boolean): Pick<Chat, "phase" | "problem"> {
  if (id === undefined) return { phase: "new", problem: null };
  if (error instanceof ApiError && error.status === 404) return { phase: "missing", problem: null };
  if (loaded) return { phase: "ready", problem: null };
  return error instanceof ApiError ? { phase: "failed", problem: error } : { phase: "loading", problem: null };
}

/** Have every answer read that is being written in what is shown. */
function useHeldRuns(queries: QueryClient, id: string | undefined, entries: readonly Entry[]): void {
  const live = entries.flatMap(({ runId }) => runId ?? []).join(" ");
  useEffect(() => {
    if (id === undefined || live === "") return undefined;
    const settle = (signal: AbortSignal) => settleEnd(queries, id, signal);
    const letGo = live.split(" ").map((runId) => holdRun(runId, settle));
    return () => letGo.forEach((release) => release());
  }, [queries, id, live]);
}

function useOlder(queries: QueryClient, conversationId: string | undefined): Pick<Chat, "loadingOlder" | "loadOlder"> {
  const [loadingOlder, setLoading] = useState(false);
  const loadOlder = useCallback(() => {
    if (conversationId === undefined || loadingOlder) return;
    setLoading(true);
    void readAbove(queries, conversationId)
      .catch(tell)
      .finally(() => setLoading(false));
  }, [queries, conversationId, loadingOlder]);
  return { loadingOlder, loadOlder };
}

type Actions = Pick<Chat, "ask" | "stop" | "retry" | "edit" | "goOn" | "show" | "resend" | "discard">;

/** What a person can do; the same functions as long as nothing changes that they are about. */
function useActions(queries: QueryClient, id: string | null, entries: readonly Entry[], sending: string | undefined): Actions {
  const last = entries.findLast(({ message }) => message !== null)?.id ?? null;
  const live = entries.at(-1)?.runId;
  const asking = useMemo(() => {
    const beside = (kind: AskKind, messageId: string, text = "") => {
      if (id !== null) startAsk(queries, { kind, conversationId: id, first: null, messageId, text });
    };
    return {
      retry: (messageId: string) => beside("retry", messageId),
      edit: (messageId: string, text: string) => beside("edit", messageId, text),
      goOn: (messageId: string) => beside("go-on", messageId),
      show: (messageId: string) => void (id !== null && showBranch(queries, id, messageId).catch(tell)),
      resend: (key: string) => resendAsk(queries, key),
      discard: discardAsk,
    };
  }, [queries, id]);
  const ask = useCallback(
    (text: string, first: FirstSettings = {}) => {
      if (live) return; // an answer is being written already
      startAsk(queries, { kind: "ask", conversationId: id, first: id === null ? first : null, messageId: last, text });
    },
    [queries, id, last, live],
  );
  const stop = useCallback(() => {
    if (live) stopRun(live);
    else if (sending !== undefined) stopAsk(sending);
  }, [live, sending]);
  return { ask, stop, ...asking };
}

async function showBranch(queries: QueryClient, id: string, messageId: string): Promise<void> {
  if (holds(queries.getQueryData(messagesQuery(id).queryKey), messageId)) return;
  putConversation(queries, await changeConversation(id, { head_id: messageId }));
  await readThrough(queries, id, messageId);
}

function tell(error: unknown): void {
  showToast({ id: "conversation", text: sentenceOf(error), tone: "danger" });
}
