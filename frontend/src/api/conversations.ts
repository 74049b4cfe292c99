import { infiniteQueryOptions, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { ask, askJson } from "@/api/client";
import { patchConversation, putConversation, restoreConversation } from "@/api/conversation-cache";
import type { ConversationBody, ConversationChange, ConversationList, NewConversation } from "@/api/generated";
import { keys, type ListFilter } from "@/api/query-keys";

const CHANGE_MS = 5_000; // a service that takes longer is away, and whoever asks is told so
const PAGE = 50; // conversations: more than one screen of them

/** A list of conversations, newest first, page by page. Changes that are heard are put into it. */
export function conversationsQuery(filter: ListFilter) {
  return infiniteQueryOptions({
    queryKey: keys.conversations(filter),
    queryFn: ({ pageParam, signal }) => {
      const query = new URLSearchParams({ archived: String(filter.archived), limit: String(PAGE) });
      if (filter.pinned !== undefined) query.set("pinned", String(filter.pinned));
      if (pageParam !== null) query.set("before", pageParam);
      return askJson<ConversationList>(`/api/conversations?${query}`, { signal });
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  });
}

/** One conversation, without its messages. */
export function conversationQuery(id: string) {
  return queryOptions({
    queryKey: keys.conversation(id),
    queryFn: ({ signal }) => askJson<ConversationBody>(`/api/conversations/${id}`, { signal }),
  });
}

/** Begin a conversation. */
export function createConversation(body: NewConversation): Promise<ConversationBody> {
  return askJson("/api/conversations", { method: "POST", body });
}

const changing = new Map<string, Promise<unknown>>(); // conversations of which a change has no answer yet

/** Change what `patch` names. */
export function changeConversation(id: string, patch: ConversationChange): Promise<ConversationBody> {
  const change = askJson<ConversationBody>(`/api/conversations/${id}`, { method: "PATCH", body: patch });
  const settled = Promise.allSettled([change, changing.get(id)]);
  changing.set(id, settled);
  void settled.finally(() => {
    if (changing.get(id) === settled) changing.delete(id);
  });
  return change;
}

/**
 * Every change of a conversation is made or refused by then, unless that takes long: what is asked then is asked by it.
 * Undefined: there is none.
 */
export function whenChanged(id: string): Promise<unknown> | undefined {
  const settled = changing.get(id);
  return settled && Promise.race([settled, new Promise((resolve) => setTimeout(resolve, CHANGE_MS))]);
}

/** Delete a conversation for good; with `keepalive` also while the page is being closed. */
export async function deleteConversation(id: string, { keepalive = false } = {}): Promise<void> {
  await ask(`/api/conversations/${id}`, { method: "DELETE", keepalive });
}

/** Change a conversation as if it were done already; what the service refuses is taken back, and the error is the caller's to show. */
export function usePatchConversation() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ id, patch }: { id: string; patch: ConversationChange }) => changeConversation(id, patch),
    onMutate: ({ id, patch }) => patchConversation(queries, id, patch),
    onError: (_error, { patch }, before) => {
      if (before) restoreConversation(queries, before, patch);
    },
    onSuccess: (conversation) => putConversation(queries, conversation),
  });
}
