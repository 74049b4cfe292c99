import { ask } from "@/api/client";
import { persist } from "@/api/persist";

/**
 * Load a part of the page that is not in its first load, through an outage.
 *
 * @throws what the browser says, if the service is there and the part is not: the page was updated.
 */
export async function loadPart<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch {
    await persist(() => ask("/health"), new AbortController().signal, Infinity);
    return load();
  }
}
