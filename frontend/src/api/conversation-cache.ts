import type { InfiniteData, QueryClient, QueryKey } from "@tanstack/react-query";
import type { ConversationBody, ConversationChange, ConversationList } from "@/api/generated";
import { keys, type ListFilter } from "@/api/query-keys";

type Lists = InfiniteData<ConversationList, string | null>;

/** A conversation as it is now: kept by itself, and put where it belongs in every list that is loaded. */
export function putConversation(queries: QueryClient, conversation: ConversationBody): void {
  changeData(queries, keys.conversation(conversation.id), () => conversation);
  changeLists(queries, (list, filter) => placed(list, conversation, filter));
}

/** A conversation that is gone: taken from every list. Who looks at it is told by asking again. */
export function dropConversation(queries: QueryClient, id: string): void {
  changeLists(queries, (list) => without(list, id));
  for (const queryKey of [keys.conversation(id), keys.messages(id)]) {
    queries.removeQueries({ queryKey, type: "inactive" });
    void queries.invalidateQueries({ queryKey });
  }
}

/** Show `patch` as if it were done; what the conversation was before, if that is known. */
export function patchConversation(
  queries: QueryClient,
  id: string,
  patch: ConversationChange,
): ConversationBody | undefined {
  const before = cachedConversation(queries, id);
  if (before) putConversation(queries, { ...before, ...patch });
  return before;
}

/** Take back what `patch` named, and nothing that was heard meanwhile. */
export function restoreConversation(queries: QueryClient, before: ConversationBody, patch: ConversationChange): void {
  const now = cachedConversation(queries, before.id);
  if (!now) return; // deleted meanwhile
  const named = Object.keys(patch) as (keyof ConversationChange)[];
  putConversation(queries, { ...now, ...Object.fromEntries(named.map((name) => [name, before[name]])) });
}

/** What is known of a conversation, by itself or from a list. */
export function cachedConversation(queries: QueryClient, id: string): ConversationBody | undefined {
  const alone = queries.getQueryData<ConversationBody>(keys.conversation(id));
  if (alone) return alone;
  const lists = queries.getQueriesData<Lists>({ queryKey: keys.conversationLists });
  return lists.flatMap(([, list]) => list?.pages.flatMap(({ items }) => items) ?? []).find((one) => one.id === id);
}

function changeLists(queries: QueryClient, change: (list: Lists, filter: ListFilter) => Lists): void {
  for (const { queryKey } of queries.getQueryCache().findAll({ queryKey: keys.conversationLists })) {
    changeData<Lists>(queries, queryKey, (list) => list && change(list, filterOf(queryKey)));
  }
}

/** Change what is loaded; and what is on its way once it has come, since it may have been read before. */
function changeData<Data>(queries: QueryClient, queryKey: QueryKey, change: (data?: Data) => Data | undefined): void {
  const apply = () => queries.setQueryData<Data>(queryKey, change);
  apply();
  const query = queries.getQueryCache().find({ queryKey });
  if (query?.state.fetchStatus === "fetching") query.promise?.then(apply, () => {}); // a reading that failed changes nothing
}

function filterOf(queryKey: QueryKey): ListFilter {
  return queryKey[1] as ListFilter;
}

function placed(list: Lists, conversation: ConversationBody, filter: ListFilter): Lists {
  const others = without(list, conversation.id);
  const belongs =
    !conversation.temporary &&
    conversation.archived === filter.archived &&
    (filter.pinned === undefined || conversation.pinned === filter.pinned);
  if (!belongs) return others;
  const last = others.pages.length - 1;
  // The first page that ends with an older one; past the last, it is loaded with the pages that follow.
  const at = others.pages.findIndex(
    ({ items, next }, index) => items.some((one) => isNewer(conversation, one)) || (index === last && !next),
  );
  return at < 0 ? others : { ...others, pages: others.pages.with(at, inserted(others.pages[at], conversation)) };
}

function inserted(page: ConversationList | undefined, conversation: ConversationBody): ConversationList {
  const items = page?.items ?? [];
  const place = items.findIndex((one) => isNewer(conversation, one));
  return { next: null, ...page, items: items.toSpliced(place < 0 ? items.length : place, 0, conversation) };
}

function without(list: Lists, id: string): Lists {
  const pages = list.pages.map((page) =>
    page.items.some((one) => one.id === id) ? { ...page, items: page.items.filter((one) => one.id !== id) } : page,
  );
  return { ...list, pages };
}

/** The list's order: by the time of the last change, then by id. */
function isNewer(one: ConversationBody, other: ConversationBody): boolean {
  return one.updated_at === other.updated_at ? one.id > other.id : one.updated_at > other.updated_at;
}
