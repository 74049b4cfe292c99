/** A conversation, or the beginning of one. */
export function ChatPage({ conversationId }: { conversationId?: string; messageId?: string | undefined }) {
  return <p>{conversationId}</p>;
}
