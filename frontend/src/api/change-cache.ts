import type { QueryClient, QueryKey } from "@tanstack/react-query";
import { cachedConversation, dropConversation, putConversation } from "@/api/conversation-cache";
import type { ConversationBody, RunBody } from "@/api/generated";
import { keys } from "@/api/query-keys";
import { unreachable } from "@/lib/unreachable";

/** What `GET /api/events` tells, with the conversation as it is now. */
export type Change =
  | { type: "ready" | "reset" }
  | { type: "conversation.created" | "conversation.updated"; conversation: ConversationBody }
  | { type: "conversation.deleted"; conversation_id: string }
  | { type: "run.started" | "run.ended"; conversation: ConversationBody; run: RunBody };

/** Put a change into what is loaded. */
export function applyChange(queries: QueryClient, change: Change): void {
  switch (change.type) {
    case "ready":
    case "reset":
      return;
    case "conversation.created":
    case "conversation.updated": {
      const before = cachedConversation(queries, change.conversation.id);
      putConversation(queries, change.conversation);
      if (before?.head_id !== change.conversation.head_id) readMessages(queries, change.conversation.id);
      return;
    }
    case "conversation.deleted":
      dropConversation(queries, change.conversation_id);
      return;
    case "run.started":
    case "run.ended":
      putConversation(queries, change.conversation);
      readMessages(queries, change.conversation.id);
      return;
    default:
      unreachable(change);
  }
}

/** Something may have been missed: read all that is shown anew. */
export function readAnew(queries: QueryClient): void {
  for (const queryKey of [keys.conversationLists, ["conversation"], ["messages"]]) {
    readAgain(queries, queryKey);
  }
}

/** The branch that is shown has changed at its end, or is another one. */
function readMessages(queries: QueryClient, conversationId: string): void {
  readAgain(queries, keys.messages(conversationId));
}

/** A reading that is on its way is replaced, but for the very first one: that is followed by another. */
function readAgain(queries: QueryClient, queryKey: QueryKey): void {
  void queries.invalidateQueries({ queryKey });
  for (const query of queries.getQueryCache().findAll({ queryKey, fetchStatus: "fetching" })) {
    if (query.state.data === undefined) {
      query.promise?.then(() => queries.invalidateQueries({ queryKey: query.queryKey, exact: true }), () => {});
    }
  }
}
