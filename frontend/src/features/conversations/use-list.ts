import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { conversationsQuery } from "@/api/conversations";
import type { ConversationBody } from "@/api/generated";
import type { ListFilter } from "@/api/query-keys";
import { usePendingDeletes } from "@/features/conversations/deletions";

/** The list as far as it is loaded, without what is being deleted. */
export interface List {
  /** Those that stand above the others, however old. In the archive there are none. */
  pinned: readonly ConversationBody[];
  items: readonly ConversationBody[];
  empty: boolean;
  waiting: boolean;
  error: Error | null;
  hasMore: boolean;
  more: () => void;
  retry: () => void;
}

/** The conversations that are kept, or those that were put away. */
export function useList(archived: boolean): List {
  const pinned = useShown({ archived: false, pinned: true }, !archived);
  const others = useShown({ archived, ...(!archived && { pinned: false }) }, true);
  // The first of the two that is not whole: what stands below waits for what stands above.
  const open = archived || pinned.whole ? others : pinned;
  const failed = [pinned.query, others.query].filter((query) => query.isError);
  return {
    pinned: archived ? [] : pinned.items,
    items: open === others ? others.items : [],
    empty: open === others && others.whole && pinned.items.length + others.items.length === 0,
    waiting: open.query.isPending || open.query.isFetchingNextPage,
    error: failed[0]?.error ?? null,
    hasMore: open.query.hasNextPage && failed.length === 0,
    more: () => void open.query.fetchNextPage(),
    retry: () => {
      for (const query of failed) void (query.isFetchNextPageError ? query.fetchNextPage() : query.refetch());
    },
  };
}

function useShown(filter: ListFilter, enabled: boolean) {
  const query = useInfiniteQuery({ ...conversationsQuery(filter), enabled });
  const pending = usePendingDeletes((state) => state.pending);
  const { data } = query;
  const items = useMemo(() => {
    const all = data?.pages.flatMap((page) => page.items) ?? [];
    return all.filter((item) => !pending.has(item.id));
  }, [data, pending]);
  return { query, items, whole: query.isSuccess && !query.hasNextPage };
}
