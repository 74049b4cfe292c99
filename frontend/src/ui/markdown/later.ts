import { useEffect, useSyncExternalStore } from "react";

/**
 * Something that is loaded once somebody wants it; until then, and where it cannot be loaded, there is none. Unlike `lazy` it is
 * there at once when it was loaded before: React would show the fallback for 300 ms.
 */
export interface Later<T> {
  load: () => void;
  /** What was loaded, or undefined. Wanting it loads it. */
  use: (wanted: boolean) => T | undefined;
}

/** @param required whoever uses it throws why it could not be loaded. */
export function later<T>(fetchIt: () => Promise<T>, { required = false } = {}): Later<T> {
  let value: T | undefined;
  let failure: { reason: unknown } | undefined;
  let loading = false;
  const listeners = new Set<() => void>();

  function load(): void {
    if (loading || value !== undefined) return;
    loading = true;
    void fetchOnce();
  }

  async function fetchOnce(): Promise<void> {
    try {
      value = await fetchIt();
    } catch (reason) {
      // Without network the text is shown plainly, and whoever wants it next tries again.
      loading = false;
      if (required) failure = { reason };
    }
    for (const listener of listeners) listener();
  }

  function subscribe(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  return {
    load,
    use(wanted) {
      const now = useSyncExternalStore(subscribe, () => value);
      const failed = useSyncExternalStore(subscribe, () => failure);
      if (failed && wanted) throw failed.reason;
      useEffect(() => {
        if (wanted) load();
      }, [wanted]);
      return now;
    },
  };
}
