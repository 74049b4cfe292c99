import { queryOptions, type QueryClient } from "@tanstack/react-query";
import { ApiError } from "@/api/client";
import type { MessageBody } from "@/api/generated";
import { fetchMessages } from "@/api/messages";
import { persist } from "@/api/persist";
import { keys } from "@/api/query-keys";
import { joinAbove, joinEnd, type Branch } from "@/transcript/branch";

type MessageBranch = Branch<MessageBody>;

const MAX_PAGES = 20; // of 100 messages, to get to one that was asked for

/** The branch that is shown, as far as it was read. Asking again reads its end again, and joins it. */
export function messagesQuery(conversationId: string) {
  const queryKey = keys.messages(conversationId);
  return queryOptions({
    queryKey,
    queryFn: async ({ client, signal }) => {
      const page = await readPage(conversationId, undefined, 50, signal);
      return joinEnd(client.getQueryData<MessageBranch>(queryKey), page);
    },
    structuralSharing: false, // `joinEnd` keeps what did not change, by id instead of by place
  });
}

/** Read the end of a branch as it is now, or later. */
export async function readEnd(queries: QueryClient, conversationId: string): Promise<MessageBranch> {
  const query = { ...messagesQuery(conversationId), staleTime: 0, retry: false };
  // One that is on its way would be joined, and may have left before what is to be read was there.
  const isOnItsWay = queries.isFetching({ queryKey: query.queryKey, exact: true }) > 0;
  if (isOnItsWay) await queries.fetchQuery(query).catch(() => undefined); // the next one says what is wrong
  return queries.fetchQuery(query);
}

/** As `readEnd`, through whatever is in the way; what the service refuses is shown by the query. */
export async function settleEnd(queries: QueryClient, conversationId: string, signal: AbortSignal): Promise<void> {
  try {
    await persist(() => readEnd(queries, conversationId), signal, Infinity);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
  }
}

/** Read the page above what is known. */
export async function readAbove(queries: QueryClient, conversationId: string): Promise<void> {
  const { queryKey } = messagesQuery(conversationId);
  const before = queries.getQueryData(queryKey)?.next;
  if (!before) return;
  const page = await readPage(conversationId, before, 50);
  queries.setQueryData(queryKey, (known) => known && joinAbove(known, page));
}

/** Read the branch that is shown from its end up to a message of it. */
export async function readThrough(queries: QueryClient, conversationId: string, messageId: string): Promise<void> {
  let branch = await readPage(conversationId, undefined, 100);
  for (let pages = 1; pages < MAX_PAGES && branch.next && !holds(branch, messageId); pages += 1) {
    branch = joinAbove(branch, await readPage(conversationId, branch.next, 100));
  }
  queries.setQueryData(messagesQuery(conversationId).queryKey, (known) => joinEnd(known, branch));
}

/** Whether a message is among those that were read. */
export function holds(branch: MessageBranch | undefined, messageId: string): boolean {
  return branch?.items.some(({ id }) => id === messageId) ?? false;
}

async function readPage(
  conversationId: string,
  before: string | undefined,
  limit: number,
  signal?: AbortSignal,
): Promise<MessageBranch> {
  const { items, next } = await fetchMessages(conversationId, { before, limit, ...(signal && { signal }) });
  return { items, next: next ?? null };
}
