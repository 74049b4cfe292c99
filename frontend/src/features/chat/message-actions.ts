/** What can be done with a message. The same object as long as the conversation is open. */
export interface MessageActions {
  /** Answer again. */
  retry: (messageId: string) => void;
  /** Ask in other words. */
  edit: (messageId: string, text: string) => void;
  /** Go on with an answer that ended early. */
  goOn: (messageId: string) => void;
  /** Show another version. */
  show: (messageId: string) => void;
  /** Send an unsent question again. */
  resend: (id: string) => void;
  /** Take an unsent question back into the box. */
  takeBack: (id: string, text: string) => void;
}

/** The class of what belongs to a message and is in view when it is pointed at, focused, or where fingers point. */
export const ACTIONS =
  "opacity-0 transition-opacity group-hover/entry:opacity-100 group-focus-within/entry:opacity-100 pointer-coarse:opacity-100";
