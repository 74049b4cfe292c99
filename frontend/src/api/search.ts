import { infiniteQueryOptions, keepPreviousData } from "@tanstack/react-query";
import { askJson } from "@/api/client";
import type { FoundList } from "@/api/generated";

/** As the service takes them; longer than any phrase that somebody remembers. */
export const MAX_QUERY_CHARS = 200;

const PAGE_ITEMS = 30; // some three screens of a phone

/** Titles and messages that hold every word of `words`, newest first, page by page. What is no longer looked at is aborted. */
export function searchQuery(words: string) {
  return infiniteQueryOptions({
    queryKey: ["search", words],
    queryFn: ({ pageParam, signal }) => {
      const asked = new URLSearchParams({ q: words, limit: String(PAGE_ITEMS), ...(pageParam && { before: pageParam }) });
      return askJson<FoundList>(`/api/search?${asked}`, { signal });
    },
    initialPageParam: "",
    getNextPageParam: (page) => page.next ?? undefined,
    enabled: words !== "",
    placeholderData: keepPreviousData,
    staleTime: 10_000, // answers go on being written meanwhile
    gcTime: 60_000, // as one types, each beginning of a word is a query of its own
  });
}
