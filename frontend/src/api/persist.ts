import { untilNextTry } from "@/api/attention";
import { ApiError } from "@/api/client";

/** Milliseconds that something a person asked for is tried again; then they are told, and decide. */
export const PATIENCE = 120_000;

/** Whether nothing was decided about the request: no answer, a proxy's, or a service that is just being restarted. */
export function isAway(error: unknown): error is ApiError {
  if (!(error instanceof ApiError)) return false;
  return error.code === "draining" || (error.code === "unreachable" && (error.status < 400 || error.status >= 500));
}

/**
 * Try `attempt`, which may be done twice, until the service is reached.
 *
 * @throws what the service refused it with; after `patience` milliseconds, that it is away. An abort is thrown as it is.
 */
export async function persist<T>(attempt: () => Promise<T>, signal: AbortSignal, patience = PATIENCE): Promise<T> {
  const since = Date.now();
  for (let failures = 1; ; failures += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!isAway(error) || Date.now() - since >= patience) throw error;
      await untilNextTry(failures, (error.retryAfter ?? 0) * 1000, signal);
    }
  }
}
