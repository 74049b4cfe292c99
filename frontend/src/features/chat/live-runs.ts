import { useCallback, useSyncExternalStore } from "react";
import { readRun, type ReadResult } from "@/api/runs";
import { LiveRun, type RunView } from "@/features/chat/live-run";

const GRACE = 2000; // milliseconds that a run is kept which nobody holds: the page may just be drawing the next state

interface Held {
  readonly run: LiveRun;
  /** Ends its connection; null while nobody reads it. */
  reading: AbortController | null;
  /** Who draws it, or wants it read. */
  holders: number;
  leaving: ReturnType<typeof setTimeout> | undefined;
}

/** Reads the saved message, which takes the transcript's place. */
export type Settle = (signal: AbortSignal) => Promise<void>;

const runs = new Map<string, Held>();

/**
 * Read a run for as long as somebody holds it; a second holder joins the first one's reading. What was read is kept
 * as long as it is drawn, so that the saved message takes its place without a gap.
 *
 * @returns what lets it go.
 */
export function holdRun(runId: string, settle: Settle): () => void {
  const held = heldOf(runId);
  if (!held.reading) {
    held.reading = new AbortController();
    const { signal } = held.reading;
    void readToEnd(readRun({ runId, after: held.run.transcript.cursor }, held.run, signal), settle, signal);
  }
  return hold(runId, held);
}

/** The run that answers a question which was just accepted: `reading` ends the connection that it arrives by. */
export function adoptRun(runId: string, reading: AbortController): LiveRun {
  const held = heldOf(runId);
  held.reading?.abort();
  held.reading = reading;
  return held.run;
}

/** Once a run was read to its end, have the saved message take its place. */
export async function readToEnd(reading: Promise<ReadResult>, settle: Settle, signal: AbortSignal): Promise<void> {
  try {
    await reading;
    await settle(signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** A live run. Draws anew once an animation frame at most. */
export function useRun(runId: string): RunView {
  const subscribe = useCallback(
    (listener: () => void) => {
      const held = heldOf(runId);
      const letGo = hold(runId, held);
      const unsubscribe = held.run.subscribe(listener);
      return () => {
        unsubscribe();
        letGo();
      };
    },
    [runId],
  );
  return useSyncExternalStore(subscribe, () => heldOf(runId).run.view);
}

function heldOf(runId: string): Held {
  const known = runs.get(runId);
  if (known) return known;
  const held: Held = { run: new LiveRun(runId), reading: null, holders: 0, leaving: undefined };
  runs.set(runId, held);
  leaveSoon(runId, held);
  return held;
}

function hold(runId: string, held: Held): () => void {
  held.holders += 1;
  clearTimeout(held.leaving);
  return () => {
    held.holders -= 1;
    leaveSoon(runId, held);
  };
}

function leaveSoon(runId: string, held: Held): void {
  clearTimeout(held.leaving);
  if (held.holders > 0) return;
  held.leaving = setTimeout(() => {
    runs.delete(runId);
    held.reading?.abort();
  }, GRACE);
}
