import { untilNextTry, untilSeen } from "@/api/attention";
import { ApiError, ask, askJson } from "@/api/client";
import { ConnectionGuard } from "@/api/connection-guard";
import type { CancelBody } from "@/api/generated";
import { isAway, PATIENCE } from "@/api/persist";
import { readFrames, type Frame } from "@/api/stream";

/** A question that may be asked: repeated with the same key, it is answered once. */
export interface Question {
  path: string;
  body: unknown;
  key: string;
}

/** A run that was started, and the place after which it is to be read; null: from the start. */
export interface Following {
  runId: string;
  after: string | null;
}

export type Link = "open" | "reconnecting" | "offline";

export interface RunReader {
  /** The question was accepted; from here on the run is only followed. */
  onAccepted?(runId: string): void;
  /** Frames in order; after a cut some may have been told before. What it throws counts as a cut. */
  onFrames(frames: readonly Frame[]): void;
  onLink(link: Link): void;
}

/** `ended`: to the last frame. `gone`: the service knows no such run, or no such place in it. */
export type ReadResult = "ended" | "gone";

const MAX_UNREADABLE = 5; // responses in a row that brought nothing new and could not be read; more would bring the same

/**
 * Read a run to its end, through every cut.
 *
 * @throws {ApiError} the question was refused, or did not reach the service for as long as one would wait. An abort of
 * `signal` is thrown as it is.
 */
export function readRun(source: Question | Following, reader: RunReader, signal: AbortSignal): Promise<ReadResult> {
  return new Reading(source, reader, signal).read();
}

/** Ask a run to stop. Asking again changes nothing. */
export function cancelRun(runId: string): Promise<CancelBody> {
  return askJson(`/api/runs/${runId}/cancel`, { method: "POST" });
}

/** The reader cannot make sense of what arrived. */
class Unreadable extends Error {}

class Reading {
  readonly #question: Question | null;
  readonly #reader: RunReader;
  readonly #signal: AbortSignal;
  readonly #since = Date.now();
  #runId: string | null;
  #cursor: string | null;
  #failures = 0; // since something new was read
  #unreadable = 0;

  constructor(source: Question | Following, reader: RunReader, signal: AbortSignal) {
    this.#question = "runId" in source ? null : source;
    this.#runId = "runId" in source ? source.runId : null;
    this.#cursor = "runId" in source ? source.after : null;
    this.#reader = reader;
    this.#signal = signal;
  }

  async read(): Promise<ReadResult> {
    for (;;) {
      const guard = new ConnectionGuard(this.#signal);
      let cut: unknown = null; // a clean end of the connection without the last frame is a cut like any other
      try {
        if (await this.#readOnce(guard)) return "ended";
      } catch (error) {
        cut = error;
      } finally {
        guard.close();
      }
      this.#signal.throwIfAborted();
      if (guard.letGo === "hidden") {
        await untilSeen(this.#signal);
      } else {
        if (this.#isGone(cut)) return "gone";
        const after = this.#runId === null ? this.#away(cut, guard).retryAfter : retryAfterOf(cut);
        this.#failures += 1;
        this.#reader.onLink(navigator.onLine ? "reconnecting" : "offline");
        await untilNextTry(this.#failures, (after ?? 0) * 1000, this.#signal);
      }
    }
  }

  /** Whether the last frame was read. */
  async #readOnce(guard: ConnectionGuard): Promise<boolean> {
    const response = await this.#open(guard.signal);
    if (response.status === 204) return true;
    this.#reader.onLink("open");
    guard.mayRest();
    for await (const frames of readFrames(response, () => guard.heard())) {
      if (this.#take(frames)) return true;
    }
    return false;
  }

  async #open(signal: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (this.#runId !== null) {
      if (this.#cursor !== null) headers["Last-Event-ID"] = this.#cursor;
      return ask(`/api/runs/${this.#runId}/events?format=ui`, { headers, signal });
    }
    if (!this.#question) throw new Error("There is neither a question nor a run.");
    const { path, body, key } = this.#question;
    headers["Idempotency-Key"] = key;
    const response = await ask(`${path}?format=ui`, { method: "POST", body, headers, signal });
    const runId = response.headers.get("X-Run-Id");
    if (runId === null) throw new ApiError(response.status, "unreachable", "Something else answered.", true);
    this.#runId = runId;
    this.#reader.onAccepted?.(runId);
    return response;
  }

  #take(frames: readonly Frame[]): boolean {
    try {
      this.#reader.onFrames(frames);
    } catch (error) {
      throw new Unreadable("What arrived cannot be read.", { cause: error });
    }
    const last = frames.at(-1);
    if (!last) return false;
    if (last.id !== this.#cursor) this.#failures = this.#unreadable = 0;
    this.#cursor = last.id;
    return last.data === "[DONE]";
  }

  #isGone(cut: unknown): boolean {
    if (cut instanceof Unreadable) this.#unreadable += 1;
    if (this.#unreadable >= MAX_UNREADABLE) return true;
    return this.#runId !== null && cut instanceof ApiError && (cut.status === 404 || cut.code === "bad_cursor");
  }

  /** What kept the question from the service, where asking again may reach it. Refusals are thrown on. */
  #away(cut: unknown, guard: ConnectionGuard): ApiError {
    const silent = new ApiError(0, "unreachable", "The service does not answer.", true);
    const error = guard.letGo === "silent" ? silent : cut;
    if (!isAway(error) || Date.now() - this.#since >= PATIENCE) throw error;
    return error;
  }
}

function retryAfterOf(cut: unknown): number | undefined {
  return cut instanceof ApiError ? cut.retryAfter : undefined;
}
