import { sessionRefused, setReached } from "@/api/connection";
import type { ProblemBody } from "@/api/generated";

/** What the service, or the way to it, answered instead of what was asked for. `message` is a sentence for a person. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  /** As in the service's problems; `unreachable` when no answer came at all. */
  readonly code: string;
  /** Whether asking again, with a new key, makes sense. */
  readonly retryable: boolean;
  /** Seconds that the service asked to wait. */
  readonly retryAfter: number | undefined;

  constructor(status: number, code: string, message: string, retryable: boolean, retryAfter?: number) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryable = retryable;
    this.retryAfter = retryAfter;
  }
}

export interface RequestOptions {
  method?: "GET" | "POST" | "PATCH" | "DELETE";
  /** Sent as JSON. */
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  /** The request outlives the page that made it. */
  keepalive?: boolean;
}

/**
 * Ask the service; the response is one of 2xx.
 *
 * @throws {ApiError} any other answer, or none (`unreachable`). An abort is thrown as it is.
 */
export async function ask(path: string, options: RequestOptions = {}): Promise<Response> {
  const { method = "GET", body, headers, signal, keepalive } = options;
  const init: RequestInit = { method, headers: { ...headers } };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "Content-Type": "application/json", ...headers };
  }
  if (signal) init.signal = signal;
  if (keepalive) init.keepalive = true;
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (signal?.aborted) throw error;
    setReached(false);
    throw new ApiError(0, "unreachable", "The service cannot be reached.", true);
  }
  const problem = response.ok ? null : await problemOf(response);
  setReached(problem?.code !== "unreachable");
  if (problem === null) return response;
  if (problem.code === "not_signed_in") sessionRefused();
  throw problem;
}

/** As `ask`, with the JSON of the answer; of 204, undefined. */
export async function askJson<T>(path: string, options: RequestOptions = {}): Promise<T> {
  const response = await ask(path, options);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** The error that a response is. A proxy's page of HTML counts as the service being away. */
export async function problemOf(response: Response): Promise<ApiError> {
  const after = Number(response.headers.get("Retry-After")) || undefined;
  const isProblem = response.headers.get("Content-Type")?.startsWith("application/problem+json");
  if (!isProblem) return new ApiError(response.status, "unreachable", "The service cannot be reached.", true, after);
  const problem = (await response.json()) as ProblemBody;
  return new ApiError(response.status, problem.code, problem.detail, problem.retryable ?? false, after);
}
