import type { ApiError } from "@/api/client";
import type { MessageBody } from "@/api/generated";
import type { Part } from "@/transcript/transcript";

/** One message as it is shown. It keeps its identity (`===`) while nothing about it has changed. */
export interface Entry {
  /** The message's id; of a question that is not accepted yet, its idempotency key. */
  readonly id: string;
  readonly role: "user" | "assistant";
  /** What is saved; empty while `live`: read `useRun(runId)` then. */
  readonly parts: readonly Part[];
  /** Null while the service has not told it yet. */
  readonly message: MessageBody | null;
  /** Of a live answer. */
  readonly runId: string | null;
  /** `unsent`: refused, or the service could not be reached; `problem` says why. */
  readonly state: "sending" | "live" | "done" | "unsent";
  readonly problem: ApiError | null;
}

/** How a new conversation is to be asked. */
export interface FirstSettings {
  model?: string | null;
  system?: string | null;
  temperature?: number | null;
  max_tokens?: number | null;
  temporary?: boolean;
}
