import { create } from "zustand";
import { ApiError } from "@/api/client";
import type { ImportBody } from "@/api/generated";
import { importFile } from "@/api/transfer";

/** Why a file was not imported. `cut`: it did not get to its end. `zip`: it has to be unpacked first. */
export type ImportProblem = "cut" | "zip" | { error: unknown };

/** The import of this tab. While it is `sending` it can be cancelled; what is `reading` the service ends by itself. */
export type Import =
  | { step: "none" }
  | { step: "sending"; name: string; share: number }
  | { step: "reading"; name: string }
  | { step: "done"; name: string; result: ImportBody }
  | { step: "failed"; name: string; problem: ImportProblem }
  | { step: "cancelled" };

/** It is kept here and not in a component, so that it goes on while one chats. */
export const useImport = create<{ now: Import }>()(() => ({ now: { step: "none" } }));

let running: AbortController | undefined;

/** Import a file, and call `onDone` when there may be more conversations than before. One at a time: others are not begun. */
export async function startImport(file: File, onDone: () => void): Promise<void> {
  if (running) return;
  const { name } = file;
  if (/\.zip$/i.test(name)) return show({ step: "failed", name, problem: "zip" });
  running = new AbortController();
  addEventListener("beforeunload", askToStay);
  show({ step: "sending", name, share: 0 });
  try {
    const result = await importFile(file, { onSent: (share) => sent(name, share), signal: running.signal });
    show({ step: "done", name, result });
    onDone();
  } catch (error) {
    show(running.signal.aborted ? { step: "cancelled" } : { step: "failed", name, problem: problemOf(error) });
  } finally {
    removeEventListener("beforeunload", askToStay);
    running = undefined;
  }
}

/** Stop sending. Nothing of the file is kept. */
export function cancelImport(): void {
  running?.abort();
}

function sent(name: string, share: number): void {
  if (share >= 1) removeEventListener("beforeunload", askToStay);
  show(share < 1 ? { step: "sending", name, share } : { step: "reading", name });
}

function problemOf(error: unknown): ImportProblem {
  // A service that refuses a large file may close before it has it all, and browsers tell that as silence.
  const isSilent = error instanceof ApiError && error.status === 0;
  return isSilent && useImport.getState().now.step === "sending" ? "cut" : { error };
}

function show(now: Import): void {
  useImport.setState({ now });
}

function askToStay(event: BeforeUnloadEvent): void {
  event.preventDefault();
}
