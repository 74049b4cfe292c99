import { useQuery } from "@tanstack/react-query";
import { conversationQuery } from "@/api/conversations";

/** The title of a conversation, out of what its page has asked for. */
export function useConversationTitle(conversationId: string | undefined): string | undefined {
  const { data } = useQuery({ ...conversationQuery(conversationId ?? ""), enabled: false });
  return data?.title ?? undefined;
}
