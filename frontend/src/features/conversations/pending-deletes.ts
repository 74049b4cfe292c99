import { unreachable } from "@/lib/unreachable";

/**
 * Where a deletion stands. `held`: it can be undone, until `until`. `sent`: the service was asked. `gone`: it is deleted,
 * and kept in mind so that no list which was on its way brings it back.
 */
export type PendingDelete = { step: "held"; until: number } | { step: "sent" } | { step: "gone" };

/** By the conversation's id. Whatever is in it is not shown. */
export type PendingDeletes = ReadonlyMap<string, PendingDelete>;

export type DeleteEvent =
  | { type: "asked"; id: string; now: number }
  | { type: "undone"; id: string }
  | { type: "sent"; id: string }
  | { type: "deleted"; id: string }
  | { type: "refused"; id: string };

export const UNDO_SECONDS = 7; // long enough to read the message and to reach its button

export const NONE: PendingDeletes = new Map();

/** What an event makes of it. An event that comes too late, or twice, changes nothing. */
export function reduce(pending: PendingDeletes, event: DeleteEvent): PendingDeletes {
  const step = pending.get(event.id)?.step;
  switch (event.type) {
    case "asked":
      return step ? pending : withEntry(pending, event.id, { step: "held", until: event.now + UNDO_SECONDS * 1000 });
    case "undone":
      return step === "held" ? without(pending, event.id) : pending;
    case "sent":
      return step === "held" ? withEntry(pending, event.id, { step: "sent" }) : pending;
    case "deleted":
      return step === "sent" ? withEntry(pending, event.id, { step: "gone" }) : pending;
    case "refused":
      return step === "sent" ? without(pending, event.id) : pending;
    default:
      return unreachable(event);
  }
}

/** Those that can still be undone and whose time is over at `now`, the earliest first. */
export function due(pending: PendingDeletes, now: number): string[] {
  return held(pending)
    .filter(({ until }) => until <= now)
    .map(({ id }) => id);
}

/** When the next one is due. */
export function nextDue(pending: PendingDeletes): number | undefined {
  return held(pending)[0]?.until;
}

/** Those that can still be undone, the earliest first. */
export function held(pending: PendingDeletes): { id: string; until: number }[] {
  return [...pending]
    .flatMap(([id, entry]) => (entry.step === "held" ? [{ id, until: entry.until }] : []))
    .sort((one, other) => one.until - other.until);
}

function withEntry(pending: PendingDeletes, id: string, entry: PendingDelete): PendingDeletes {
  return new Map(pending).set(id, entry);
}

function without(pending: PendingDeletes, id: string): PendingDeletes {
  const rest = new Map(pending);
  rest.delete(id);
  return rest;
}
