import { Link } from "@tanstack/react-router";
import { clsx } from "clsx";
import { useTranslation } from "react-i18next";
import { shortTime } from "@/features/conversations/days";
import { MarkedText } from "@/features/conversations/marked-text";
import type { Place } from "@/features/conversations/use-search";

interface SearchOptionProps {
  id: string;
  place: Place;
  /** What is marked in it. */
  words: string;
  today: Date;
  active: boolean;
  onPoint: () => void;
  onOpen: () => void;
}

/** A place that was found: a link, which the arrow keys reach without leaving the field. */
export function SearchOption({ id, place, words, today, active, onPoint, onOpen }: SearchOptionProps) {
  const { t, i18n } = useTranslation();
  return (
    <Link
      id={id}
      role="option"
      aria-selected={active}
      tabIndex={-1}
      to="/c/$conversationId"
      params={{ conversationId: place.conversationId }}
      search={place.messageId ? { message: place.messageId } : {}}
      onClick={onOpen}
      onPointerMove={onPoint}
      className={clsx("block scroll-mt-16 rounded-lg px-3 py-2 pointer-coarse:min-h-11", active && "bg-hover ring-1 ring-edge ring-inset")}
    >
      <span className="flex items-baseline gap-3">
        <span dir="auto" className="min-w-0 flex-1 truncate text-start text-sm font-medium">
          <MarkedText text={place.title || t("conversations.untitled")} query={words} />
        </span>
        <time dateTime={place.time} className="shrink-0 text-xs text-muted">
          {shortTime(new Date(place.time), today, i18n.language)}
        </time>
      </span>
      {place.snippet && (
        <span dir="auto" className="mt-0.5 line-clamp-2 text-start text-sm text-muted">
          <MarkedText text={place.snippet} query={words} />
        </span>
      )}
    </Link>
  );
}
