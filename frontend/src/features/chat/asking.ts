import type { QueryClient } from "@tanstack/react-query";
import { ApiError } from "@/api/client";
import { putConversation } from "@/api/conversation-cache";
import { createConversation, whenChanged } from "@/api/conversations";
import { persist } from "@/api/persist";
import { keys } from "@/api/query-keys";
import { cancelRun, readRun, type Link, type Question } from "@/api/runs";
import { sentenceOf } from "@/api/sentence";
import type { LiveRun } from "@/features/chat/live-run";
import { adoptRun, readToEnd } from "@/features/chat/live-runs";
import { settleEnd } from "@/features/chat/messages-query";
import { addAsk, changeAsk, pendingAsk, removeAsk, usePendingAsks, type PendingAsk } from "@/features/chat/pending-asks";
import { newKey } from "@/lib/keys";
import { unreachable } from "@/lib/unreachable";
import { showToast } from "@/ui/toast";

interface Flight {
  readonly controller: AbortController;
  link: Link;
  /** Once it was accepted. */
  runId: string | null;
  /** The person has had enough: stop the run as soon as there is one. */
  stopped: boolean;
}

const flights = new Map<string, Flight>();
const whenCreated = new Set<(conversationId: string) => void>();

/** Ask, unless something of the same conversation is on its way already. The key is made here: one for each click. */
export function startAsk(queries: QueryClient, asked: Pick<PendingAsk, "kind" | "conversationId" | "first" | "messageId" | "text">): void {
  if (isAsking(asked.conversationId)) return;
  const ask: PendingAsk = { ...asked, key: newKey(), state: "sending", problem: null, runId: null, answerId: null };
  addAsk(ask);
  void fly(queries, ask);
}

/** Whether something of a conversation is on its way. */
export function isAsking(conversationId: string | null): boolean {
  return usePendingAsks.getState().asks.some((ask) => ask.conversationId === conversationId && ask.state === "sending");
}

/** Go on with what was on its way before a reload. Whatever flies already is left alone. */
export function resumeAsks(queries: QueryClient): void {
  for (const ask of usePendingAsks.getState().asks) {
    if (ask.state === "sending" && !flights.has(ask.key)) void fly(queries, ask);
  }
}

/** Ask again what could not be sent: with the same key, unless the service has refused it. */
export function resendAsk(queries: QueryClient, key: string): void {
  const unsent = pendingAsk(key);
  if (unsent?.state !== "unsent" || isAsking(unsent.conversationId)) return;
  const again = unsent.problem?.code === "unreachable" ? key : newKey();
  const ask: PendingAsk = { ...unsent, key: again, state: "sending", problem: null };
  changeAsk(key, ask);
  void fly(queries, ask);
}

/** Take back what could not be sent. */
export function discardAsk(key: string): void {
  flights.get(key)?.controller.abort();
  removeAsk(key);
}

/** Take back all that could not be sent in a conversation; what a person wrote of it, in order. */
export function discardUnsent(conversationId: string): readonly string[] {
  const unsent = usePendingAsks.getState().asks.filter((ask) => ask.conversationId === conversationId && ask.state === "unsent");
  unsent.forEach(({ key }) => discardAsk(key));
  return unsent.map(({ text }) => text);
}

/** Stop what is on its way: once it was accepted its run is stopped; if the service cannot be reached, it is left unsent. */
export function stopAsk(key: string): void {
  const flight = flights.get(key);
  if (!flight) return;
  flight.stopped = true;
  if (flight.runId !== null) stopRun(flight.runId);
  else if (flight.link !== "open") giveUp(key, flight);
}

/** Stop a run; what it said is kept, and still arrives. */
export function stopRun(runId: string): void {
  void persist(() => cancelRun(runId), new AbortController().signal).catch((error: unknown) => {
    showToast({ id: `stop-${runId}`, text: sentenceOf(error), tone: "danger" });
  });
}

/** Hear of conversations that a first question has created; returns what ends that. */
export function onCreated(listener: (conversationId: string) => void): () => void {
  whenCreated.add(listener);
  return () => whenCreated.delete(listener);
}

async function fly(queries: QueryClient, ask: PendingAsk): Promise<void> {
  const flight: Flight = { controller: new AbortController(), link: "open", runId: null, stopped: false };
  flights.set(ask.key, flight);
  try {
    await answered(queries, ask, flight);
  } catch (error) {
    if (!flight.controller.signal.aborted) failed(ask, error);
  } finally {
    flights.delete(ask.key);
  }
}

async function answered(queries: QueryClient, ask: PendingAsk, flight: Flight): Promise<void> {
  const { controller } = flight;
  const { signal } = controller;
  const conversationId = ask.conversationId ?? (await created(queries, ask, flight));
  const change = whenChanged(conversationId);
  if (change) {
    linked(ask.key, flight, "reconnecting"); // nothing was sent yet: who stops now gets the words back
    await change;
    signal.throwIfAborted();
    linked(ask.key, flight, "open");
  }
  const settle = (until: AbortSignal) => settleEnd(queries, conversationId, until);
  let run: LiveRun | undefined;
  const reader = {
    onAccepted(runId: string) {
      run = adoptRun(runId, controller);
      flight.runId = runId;
      if (flight.stopped) stopRun(runId);
      void settleEnd(queries, conversationId, new AbortController().signal).then(() => removeAsk(ask.key));
    },
    onFrames(frames: Parameters<LiveRun["onFrames"]>[0]) {
      run?.onFrames(frames);
      const answerId = run?.transcript.messageId;
      if (answerId && pendingAsk(ask.key)?.answerId === null) changeAsk(ask.key, { runId: flight.runId, answerId });
    },
    onLink(link: Link) {
      run?.onLink(link);
      linked(ask.key, flight, link);
    },
  };
  await readToEnd(readRun(questionOf(ask, conversationId), reader, signal), settle, signal);
}

/** Create the conversation that a first question begins. Told to who waits for it, to go there. */
async function created(queries: QueryClient, ask: PendingAsk, flight: Flight): Promise<string> {
  const { signal } = flight.controller;
  const attempt = async () => {
    try {
      return await createConversation(ask.first ?? {});
    } catch (error) {
      linked(ask.key, flight, "reconnecting");
      throw error;
    }
  };
  const conversation = await persist(attempt, signal);
  signal.throwIfAborted();
  linked(ask.key, flight, "open");
  queries.setQueryData(keys.messages(conversation.id), { items: [], next: null });
  putConversation(queries, conversation);
  changeAsk(ask.key, { conversationId: conversation.id });
  for (const listener of whenCreated) listener(conversation.id);
  return conversation.id;
}

function questionOf(ask: PendingAsk, conversationId: string): Question {
  const { key, messageId, text } = ask;
  const spot = `/api/conversations/${conversationId}/messages/${messageId}`;
  switch (ask.kind) {
    case "edit":
      return { key, path: `${spot}/edit`, body: { message: text } };
    case "retry":
      return { key, path: `${spot}/regenerate`, body: {} };
    case "go-on":
      return { key, path: `${spot}/continue`, body: {} };
    case "ask": {
      const follows = messageId === null ? {} : { parent_id: messageId };
      return { key, path: "/api/chat/stream", body: { message: text, conversation_id: conversationId, ...follows } };
    }
    default:
      return unreachable(ask.kind);
  }
}

/** How the way to the service is; who has stopped what has not reached it does not wait for it. */
function linked(key: string, flight: Flight, link: Link): void {
  flight.link = link;
  if (flight.stopped && flight.runId === null && link !== "open") giveUp(key, flight);
}

function giveUp(key: string, flight: Flight): void {
  flight.controller.abort();
  const { status, code, message, retryable } = new ApiError(0, "unreachable", "The service cannot be reached.", true);
  changeAsk(key, { state: "unsent", problem: { status, code, message, retryable } });
}

/** It was refused, or did not reach the service: words that a person wrote stay; of a mere click it is told. */
function failed(ask: PendingAsk, error: unknown): void {
  if (!(error instanceof ApiError)) {
    removeAsk(ask.key);
    throw error;
  }
  if (ask.kind === "ask" || ask.kind === "edit") {
    const { status, code, message, retryable, retryAfter } = error;
    changeAsk(ask.key, { state: "unsent", problem: { status, code, message, retryable, retryAfter } });
  } else {
    removeAsk(ask.key);
    showToast({ id: ask.key, text: sentenceOf(error), tone: "danger" });
  }
}
