import { useEffect, useSyncExternalStore } from "react";

/** Something that is loaded once somebody wants it; until then, and where it cannot be loaded, there is none. */
export interface Later<T> {
  load: () => void;
  /** What was loaded, or undefined. Wanting it loads it. */
  use: (wanted: boolean) => T | undefined;
}

export function later<T>(fetchIt: () => Promise<T>): Later<T> {
  let value: T | undefined;
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
      for (const listener of listeners) listener();
    } catch {
      // Without network the text is shown plainly, and whoever wants it next tries again.
      loading = false;
    }
  }

  function subscribe(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  return {
    load,
    use(wanted) {
      const now = useSyncExternalStore(subscribe, () => value);
      useEffect(() => {
        if (wanted) load();
      }, [wanted]);
      return now;
    },
  };
}
