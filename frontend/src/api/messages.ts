import { askJson } from "@/api/client";
import type { MessageList } from "@/api/generated";

const PAGE = 50; // messages: a few screens, and little enough to be there at once

interface MessagesOptions {
  /** `next` of the page below; without it, the end of the branch. */
  before?: string | undefined;
  /** At most 100. */
  limit?: number;
  signal?: AbortSignal;
}

/** A page of the branch that is shown, oldest message first. */
export function fetchMessages(conversationId: string, options: MessagesOptions = {}): Promise<MessageList> {
  const { before, limit = PAGE, signal } = options;
  const query = new URLSearchParams({ limit: String(limit), ...(before !== undefined && { before }) });
  return askJson(`/api/conversations/${conversationId}/messages?${query}`, { signal });
}
