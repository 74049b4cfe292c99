import { ask } from "@/api/client";
import { setReached, useConnection } from "@/api/connection";

const WAITS = [1, 2, 4, 8, 15]; // seconds between tries; a restart takes two, and a service that is away is not to be hammered
const AGAIN_SECONDS = 2; // after the network went: what was answered in that moment may have been on its way
const PATIENCE_SECONDS = 5; // for an answer that costs the service nothing

function isAway(): boolean {
  return !useConnection.getState().reached;
}

async function knock(): Promise<void> {
  const signal = AbortSignal.timeout(PATIENCE_SECONDS * 1000);
  await ask("/health", { signal }).catch(() => setReached(false));
}

/**
 * While the service is not reached, try again until it is; at once when the browser's network comes or goes, or the page is looked at again.
 *
 * @returns what ends it.
 */
export function watchReach(): () => void {
  let tries = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let again: ReturnType<typeof setTimeout> | undefined;

  function plan(): void {
    clearTimeout(timer);
    if (!isAway() || document.visibilityState === "hidden") return;
    const wait = WAITS[Math.min(tries, WAITS.length - 1)] ?? 0;
    tries += 1;
    timer = setTimeout(() => void knock().then(plan), wait * 1000);
  }
  function now(): void {
    tries = 0;
    void knock().then(plan);
  }
  function went(): void {
    now();
    clearTimeout(again);
    again = setTimeout(() => {
      if (!navigator.onLine && !isAway()) now();
    }, AGAIN_SECONDS * 1000);
  }
  function seen(): void {
    if (document.visibilityState === "visible" && isAway()) now();
  }
  const unsubscribe = useConnection.subscribe(({ reached }, before) => {
    if (reached === before.reached) return;
    tries = 0;
    plan();
  });
  window.addEventListener("online", now);
  // The browser may be right about the network and wrong about us: a service on this very machine is still there.
  window.addEventListener("offline", went);
  document.addEventListener("visibilitychange", seen);
  plan();
  return () => {
    clearTimeout(timer);
    clearTimeout(again);
    unsubscribe();
    window.removeEventListener("online", now);
    window.removeEventListener("offline", went);
    document.removeEventListener("visibilitychange", seen);
  };
}
