import { create } from "zustand";
import { createJSONStorage, persist } from "zustand/middleware";
import type { FirstSettings } from "@/features/chat/entry";

/** What a person did that asks for an answer. */
export type AskKind = "ask" | "edit" | "retry" | "go-on";

/** Why a question is not on its way. */
export interface AskProblem {
  status: number;
  code: string;
  message: string;
  retryable: boolean;
  retryAfter?: number | undefined;
}

/** Something that was asked, until the service's own list of messages shows it. */
export interface PendingAsk {
  /** The `Idempotency-Key` of every try. */
  readonly key: string;
  readonly kind: AskKind;
  /** Null: it is the first of a conversation that is to be created, with `first`. */
  readonly conversationId: string | null;
  readonly first: FirstSettings | null;
  /** What is edited, answered again or gone on with; of a question, the message that it follows. */
  readonly messageId: string | null;
  /** Of a question, or its other wording. */
  readonly text: string;
  readonly state: "sending" | "unsent";
  readonly problem: AskProblem | null;
  /** Once its answer has begun to arrive. */
  readonly runId: string | null;
  /** The message that answers it, from then on. */
  readonly answerId: string | null;
}

const MAX_ASKS = 20; // a tab's storage holds 5 MB, and a question at most 32,000 characters

interface PendingAsks {
  asks: readonly PendingAsk[];
}

/**
 * What this tab has asked and the service has not shown yet. Kept across a reload: it is then asked again with the same
 * key, so that it is neither lost nor answered twice.
 */
export const usePendingAsks = create<PendingAsks>()(
  persist<PendingAsks>(() => ({ asks: [] }), {
    name: "pending-asks",
    storage: createJSONStorage(() => sessionStorage),
  }),
);

export function pendingAsk(key: string): PendingAsk | undefined {
  return usePendingAsks.getState().asks.find((ask) => ask.key === key);
}

export function addAsk(ask: PendingAsk): void {
  usePendingAsks.setState(({ asks }) => ({ asks: [...asks, ask].slice(-MAX_ASKS) }));
}

export function changeAsk(key: string, change: Partial<PendingAsk>): void {
  usePendingAsks.setState(({ asks }) => ({
    asks: asks.map((ask) => (ask.key === key ? Object.assign({}, ask, change) : ask)),
  }));
}

export function removeAsk(key: string): void {
  usePendingAsks.setState(({ asks }) => ({ asks: asks.filter((ask) => ask.key !== key) }));
}
