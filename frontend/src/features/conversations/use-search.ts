import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { conversationsQuery } from "@/api/conversations";
import type { ConversationBody, FoundBody } from "@/api/generated";
import { searchQuery } from "@/api/search";
import { usePendingDeletes } from "@/features/conversations/deletions";
import { useDebounced } from "@/features/conversations/use-debounced";

const SETTLE_MILLISECONDS = 150; // between two letters of somebody who types fast
const RECENT_ITEMS = 8; // what is seen without scrolling

/** Where the search leads: a conversation, or a message in it. */
export interface Place {
  key: string;
  conversationId: string;
  messageId: string | undefined;
  title: string;
  /** Of a message: what it says around the words. */
  snippet: string | undefined;
  time: string;
}

export interface Search {
  /** What the places are about; empty: they are the recent conversations. */
  words: string;
  places: readonly Place[];
  /** Whether the places are those of what is typed. */
  settled: boolean;
  waiting: boolean;
  error: Error | null;
  hasMore: boolean;
  more: () => void;
  retry: () => void;
}

/** What is found for what is typed. */
export function useSearch(typed: string): Search {
  const asked = typed.trim();
  const words = useDebounced(asked, SETTLE_MILLISECONDS);
  const found = useInfiniteQuery(searchQuery(words));
  const recent = useInfiniteQuery(conversationsQuery({ archived: false }));
  const pending = usePendingDeletes((state) => state.pending);
  const shown = words ? found : recent;

  const places = useMemo(() => {
    const all = words
      ? (found.data?.pages.flatMap((page) => page.items.map(placeOf)) ?? [])
      : (recent.data?.pages.flatMap((page) => page.items.map(placeOfConversation)) ?? []);
    const left = all.filter((place) => !pending.has(place.conversationId));
    return words ? left : left.slice(0, RECENT_ITEMS);
  }, [words, found.data, recent.data, pending]);

  return {
    words,
    places,
    settled: asked === words && !shown.isPlaceholderData,
    waiting: shown.isPending || (words !== "" && found.isFetchingNextPage),
    error: shown.error,
    hasMore: words !== "" && found.hasNextPage && !found.isPlaceholderData && !found.isError,
    more: () => void found.fetchNextPage(),
    retry: () => void (shown.isFetchNextPageError ? shown.fetchNextPage() : shown.refetch()),
  };
}

function placeOf(found: FoundBody): Place {
  const inTitle = !found.message_id;
  return {
    key: found.message_id ?? found.conversation_id,
    conversationId: found.conversation_id,
    messageId: found.message_id ?? undefined,
    title: found.title,
    snippet: inTitle ? undefined : found.snippet,
    time: found.created_at,
  };
}

function placeOfConversation({ id, title, updated_at }: ConversationBody): Place {
  return { key: id, conversationId: id, messageId: undefined, title, snippet: undefined, time: updated_at };
}
