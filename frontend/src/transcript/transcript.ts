/** One part of an answer: what was said, or what was thought before it. */
export interface Part {
  readonly kind: "text" | "reasoning";
  readonly text: string;
}

/** Tokens, as the provider counted them. */
export interface Usage {
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly reasoning_tokens?: number;
  readonly cached_tokens?: number;
}

/** What has been read of one run. */
export interface Transcript {
  readonly runId: string;
  /** The message that the run writes; null before its first event. */
  readonly messageId: string | null;
  /** The farthest place that was read, as its `id:` says it: where a reader comes back to. Null before the first. */
  readonly cursor: string | null;
  /** By number; the last one is open while streaming. */
  readonly parts: readonly Part[];
  readonly status: "waiting" | "streaming" | "completed" | "failed" | "cancelled";
  /** What a person may be told while nothing has been said yet, such as that the model is loading. */
  readonly note: string | null;
  readonly finishReason: string | null;
  readonly error: { readonly message: string } | null;
  readonly model: string | null;
  /** What a person should know of the model, such as that it stands in for another one. */
  readonly modelNote: string | null;
  readonly usage: Usage | null;
}

/** The transcript of a run that nothing has been read of. */
export function emptyTranscript(runId: string): Transcript {
  return {
    runId,
    messageId: null,
    cursor: null,
    parts: [],
    status: "waiting",
    note: null,
    finishReason: null,
    error: null,
    model: null,
    modelNote: null,
    usage: null,
  };
}

/** Whether nothing will be added any more. */
export function hasEnded({ status }: Transcript): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}
