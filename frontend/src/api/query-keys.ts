/** The keys of what the service is asked for: one place, since changes that are heard reach other features' data by them. */
export const keys = {
  /** All lists of conversations. */
  conversationLists: ["conversations"] as const,
  conversations: (filter: ListFilter) =>
    ["conversations", { archived: filter.archived, ...(filter.pinned !== undefined && { pinned: filter.pinned }) }] as const,
  conversation: (id: string) => ["conversation", id] as const,
  /** The branch of a conversation that is shown. */
  messages: (conversationId: string) => ["messages", conversationId] as const,
  models: ["models"] as const,
};

/** Which conversations a list is of. Temporary ones are on no list. */
export interface ListFilter {
  archived: boolean;
  /** Undefined: whether they are or not. */
  pinned?: boolean | undefined;
}
