import { ArrowDown } from "lucide-react";
import { useEffect, useLayoutEffect, useRef, useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Virtualizer, type VirtualizerHandle } from "virtua";
import type { Entry } from "@/features/chat/entry";
import { EntryRow } from "@/features/chat/entry-row";
import type { MessageActions } from "@/features/chat/message-actions";
import { useFollow } from "@/features/chat/use-follow";
import { IconButton } from "@/ui/button";

const OLDER_PIXELS = 1_500; // nearer than this to the beginning, what is before it is loaded

interface MessageListProps {
  /** Not empty. */
  entries: readonly Entry[];
  hasOlder: boolean;
  loadingOlder: boolean;
  loadOlder: () => void;
  /** To be scrolled to and marked. */
  messageId: string | undefined;
  busy: boolean;
  /** How often something was asked here: whoever asks wants to see the answer. */
  asked: number;
  actions: MessageActions;
}

/** As a function, so that whoever has loaded it can draw it at once. */
export function drawMessageList(props: MessageListProps): ReactNode {
  return <MessageList {...props} />;
}

/** The messages of a conversation, of which only those in view are drawn. It stays at the end, unless one reads above. */
function MessageList({ entries, hasOlder, loadingOlder, loadOlder, messageId, busy, asked, actions }: MessageListProps) {
  const { t } = useTranslation();
  const list = useRef<VirtualizerHandle>(null);
  const { box, content, following, unseen, onScroll, onHand, pin, mark, toEnd } = useFollow(messageId === undefined);
  const shift = useShift(entries);
  const last = entries.at(-1);

  useLayoutEffect(pin, [entries, pin]);
  const lastSeen = useRef(last?.id);
  useEffect(() => {
    if (lastSeen.current === last?.id) return;
    lastSeen.current = last?.id;
    mark();
  }, [last?.id, mark]);
  useEffect(() => {
    if (asked > 0) toEnd();
  }, [asked, toEnd]);
  useFound({ messageId, entries, hasOlder, loadingOlder, loadOlder, show: actions.show, list });

  function loadIfNear(): void {
    if (hasOlder && !loadingOlder && box.current && box.current.scrollTop < OLDER_PIXELS) loadOlder();
  }
  useEffect(loadIfNear);

  return (
    <div className="relative min-h-0 flex-1">
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- only to tell who it is that scrolls */}
      <div
        ref={box}
        role="log"
        aria-live="off" // start and end are told by the announcer; tokens are not
        aria-label={t("chat.conversation")}
        aria-busy={busy}
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- who has no mouse scrolls it by keyboard
        tabIndex={0}
        className="h-full overflow-y-auto overscroll-contain -outline-offset-2 [overflow-anchor:none]"
        onWheel={onHand}
        onTouchMove={onHand}
        onKeyDown={onHand}
        onPointerMove={(event) => {
          if (event.buttons !== 0) onHand();
        }}
        onScroll={() => {
          onScroll();
          loadIfNear();
        }}
      >
        <div ref={content} className="pb-4">
          <Virtualizer
            ref={list}
            scrollRef={box}
            shift={shift}
            onResize={() => {
              if (last?.state === "live" && !following) mark();
            }}
          >
            {entries.map((entry) => (
              <EntryRow
                key={entry.id}
                entry={entry}
                last={entry === last}
                marked={entry.id === messageId}
                busy={busy}
                actions={actions}
              />
            ))}
          </Virtualizer>
        </div>
      </div>
      {loadingOlder && (
        <p role="status" className="pointer-events-none absolute inset-x-0 top-2 text-center text-xs text-muted">
          <span className="rounded-full border border-line bg-raised px-3 py-1.5 shadow-sm">{t("chat.older")}</span>
        </p>
      )}
      {!following && (
        <IconButton
          label={t(unseen ? "chat.toEndNew" : "chat.toEnd")}
          kind="plain"
          className="absolute bottom-3 left-1/2 -translate-x-1/2 rounded-full! shadow-float"
          onClick={toEnd}
        >
          <ArrowDown aria-hidden />
          {unseen && <span aria-hidden className="absolute -top-0.5 -right-0.5 size-3 rounded-full border-2 border-paper bg-accent" />}
        </IconButton>
      )}
    </div>
  );
}

/** Whether the entries that are new since the last time stand at the beginning. */
function useShift(entries: readonly Entry[]): boolean {
  const first = entries[0]?.id;
  const count = entries.length;
  const [seen, setSeen] = useState({ first, count, shift: false });
  if (seen.first === first && seen.count === count) return seen.shift;
  const shift = seen.first !== first && entries.some((entry) => entry.id === seen.first);
  setSeen({ first, count, shift });
  return shift;
}

interface Search extends Pick<MessageListProps, "messageId" | "entries" | "hasOlder" | "loadingOlder" | "loadOlder"> {
  show: (messageId: string) => void;
  list: React.RefObject<VirtualizerHandle | null>;
}

/** Scroll to the message that was searched for: older pages are loaded until it is there; else its branch is shown. */
function useFound({ messageId, entries, hasOlder, loadingOlder, loadOlder, show, list }: Search): void {
  const done = useRef<string>(null);
  const asked = useRef<string>(null);
  useEffect(() => {
    if (messageId === undefined || done.current === messageId) return;
    const index = entries.findIndex((entry) => entry.id === messageId);
    if (index >= 0) {
      done.current = messageId;
      list.current?.scrollToIndex(index, { align: "center" });
    } else if (hasOlder) {
      if (!loadingOlder) loadOlder();
    } else if (asked.current !== messageId) {
      asked.current = messageId;
      show(messageId);
    }
  }, [messageId, entries, hasOlder, loadingOlder, loadOlder, show, list]);
}
