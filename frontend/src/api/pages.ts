import { infiniteQueryOptions } from "@tanstack/react-query";
import { askJson } from "@/api/client";

interface Page {
  next?: string | null;
}

const LIMIT = "100"; // the most that the service gives at once

/** A list of the service's, page after page. */
export function pagesQuery<T extends Page>(key: readonly unknown[], path: string, params: Record<string, string> = {}) {
  return infiniteQueryOptions({
    queryKey: key,
    queryFn: ({ pageParam, signal }) => {
      const query = new URLSearchParams({ ...params, limit: LIMIT, ...(pageParam ? { before: pageParam } : {}) });
      return askJson<T>(`${path}?${query}`, { signal });
    },
    initialPageParam: "",
    getNextPageParam: (page) => page.next ?? undefined,
  });
}
