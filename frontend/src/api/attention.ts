import { isHidden } from "@/lib/visibility";

const FIRST_WAIT = 500; // milliseconds; a dropped connection is mostly back at once
const LONGEST_WAIT = 15_000; // milliseconds; a restart takes two seconds, an outage is not to be hammered

/** How long to wait before the next try, in milliseconds: doubled each time, and spread so that readers do not return together. */
export function waitAfter(failures: number, random = Math.random()): number {
  const whole = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.max(0, failures - 1));
  return whole * (0.5 + random / 2);
}

/**
 * Wait before trying again; at once when the network is back or the page is looked at again, and as long as it is hidden.
 *
 * @param least milliseconds that the service asked for: nothing shortens them.
 * @throws the reason of `signal`, once it is aborted.
 */
export async function untilNextTry(failures: number, least: number, signal: AbortSignal): Promise<void> {
  if (least > 0) await untilEvent(least, signal, false);
  else await untilEvent(waitAfter(failures), signal, true);
  await untilSeen(signal);
}

/** Until somebody can see the page; at once where they can. */
export async function untilSeen(signal: AbortSignal): Promise<void> {
  while (isHidden()) await untilEvent(Infinity, signal, true);
}

/** Until so many milliseconds have passed, or (with `early`) somebody looks at the page or the network is back. */
function untilEvent(milliseconds: number, signal: AbortSignal, early: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(reasonOf(signal));
      return;
    }
    const end = new AbortController();
    const options = { signal: end.signal };
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      end.abort();
      settle();
    };
    const timer = milliseconds === Infinity ? undefined : setTimeout(() => finish(resolve), milliseconds);
    signal.addEventListener("abort", () => finish(() => reject(reasonOf(signal))), options);
    if (!early) return;
    window.addEventListener("online", () => finish(resolve), options);
    document.addEventListener("visibilitychange", () => isHidden() || finish(resolve), options);
  });
}

function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new DOMException("Aborted", "AbortError");
}
