import { untilNextTry } from "@/api/attention";
import type { Change } from "@/api/change-cache";
import { ApiError, ask } from "@/api/client";
import { ConnectionGuard } from "@/api/connection-guard";
import { readFrames } from "@/api/stream";

const STEADY = 15_000; // milliseconds that a connection must have held for the next cut to be the first one again

const TYPES = new Set<unknown>([
  "ready",
  "reset",
  "conversation.created",
  "conversation.updated",
  "conversation.deleted",
  "run.started",
  "run.ended",
] satisfies Change["type"][]);

export interface Hearer {
  /** The connection lives, or is being made again. */
  onSign(): void;
  onChange(number: number, change: Change): void;
}

/** Listen to the service until `signal` is aborted, through every cut. `number` says from where on. */
export async function listen(number: () => number | null, hearer: Hearer, signal: AbortSignal): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    const since = Date.now();
    const cut = await listenOnce(number(), hearer, signal);
    if (signal.aborted) return;
    failures = Date.now() - since >= STEADY ? 1 : failures + 1;
    const least = cut instanceof ApiError ? (cut.retryAfter ?? 0) * 1000 : 0;
    await untilNextTry(failures, least, signal).catch(() => {}); // aborted, which is looked at above
  }
}

/** What the connection broke off with; null for a clean end, which is a cut as well. */
async function listenOnce(number: number | null, hearer: Hearer, signal: AbortSignal): Promise<unknown> {
  const guard = new ConnectionGuard(signal);
  const heard = () => {
    guard.heard();
    hearer.onSign();
  };
  try {
    hearer.onSign();
    const headers = { Accept: "text/event-stream", ...(number !== null && { "Last-Event-ID": String(number) }) };
    const response = await ask("/api/events", { headers, signal: guard.signal });
    for await (const frames of readFrames(response, heard)) {
      for (const { id, data } of frames) {
        const change = JSON.parse(data) as Change;
        if (TYPES.has(change.type)) hearer.onChange(Number(id), change);
      }
    }
    return null;
  } catch (error) {
    return error;
  } finally {
    guard.close();
  }
}
