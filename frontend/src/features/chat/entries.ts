import { ApiError } from "@/api/client";
import type { MessageBody } from "@/api/generated";
import type { Entry } from "@/features/chat/entry";
import type { PendingAsk } from "@/features/chat/pending-asks";

const ofMessages = new WeakMap<MessageBody, Entry>();
const ofAsks = new WeakMap<PendingAsk, readonly Entry[]>();

/** What is shown: the branch as the service tells it, and what was asked since. */
export function entriesOf(branch: readonly MessageBody[], asks: readonly PendingAsk[]): readonly Entry[] {
  return asks
    .filter(({ runId }) => runId === null || !branch.some((message) => message.run_id === runId))
    .reduce<readonly Entry[]>(withAsk, branch.map(entryOf));
}

function withAsk(shown: readonly Entry[], ask: PendingAsk): readonly Entry[] {
  const entries = ofAsks.get(ask) ?? entriesOfAsk(ask);
  ofAsks.set(ask, entries);
  if (entries.length === 0) return shown;
  if (ask.kind === "ask") return [...shown, ...entries];
  const at = shown.findIndex(({ id }) => id === ask.messageId);
  // A question that is answered again stays; anything else gives way to what is written beside it.
  const stays = at < 0 ? shown.length : at + (ask.kind === "retry" && shown[at]?.role === "user" ? 1 : 0);
  return [...shown.slice(0, stays), ...entries];
}

function entriesOfAsk(ask: PendingAsk): readonly Entry[] {
  const hasQuestion = ask.kind === "ask" || ask.kind === "edit";
  return [...(hasQuestion ? [questionOf(ask)] : []), ...answerOf(ask)];
}

function questionOf(ask: PendingAsk): Entry {
  const { problem } = ask;
  return {
    id: ask.key,
    role: "user",
    parts: [{ kind: "text", text: ask.text }],
    message: null,
    runId: null,
    state: ask.runId ? "done" : ask.state,
    problem: problem && new ApiError(problem.status, problem.code, problem.message, problem.retryable, problem.retryAfter),
  };
}

function answerOf({ runId, answerId }: PendingAsk): readonly Entry[] {
  if (runId === null || answerId === null) return [];
  return [{ id: answerId, role: "assistant", parts: [], message: null, runId, state: "live", problem: null }];
}

function entryOf(message: MessageBody): Entry {
  const known = ofMessages.get(message);
  if (known) return known;
  const live = isLive(message);
  const entry: Entry = {
    id: message.id,
    role: message.role,
    parts: live ? [] : message.parts.map(({ type, text }) => ({ kind: type, text })),
    message,
    runId: live ? (message.run_id ?? null) : null,
    state: live ? "live" : "done",
    problem: null,
  };
  ofMessages.set(message, entry);
  return entry;
}

function isLive({ role, status, run_id: runId }: MessageBody): boolean {
  return role === "assistant" && Boolean(runId) && (status === "queued" || status === "running");
}
