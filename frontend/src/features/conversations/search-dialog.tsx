import { useState } from "react";
import { useTranslation } from "react-i18next";
import { MAX_QUERY_CHARS } from "@/api/search";
import { focused } from "@/features/conversations/focus";
import { NearEnd } from "@/features/conversations/near-end";
import { SearchOption } from "@/features/conversations/search-option";
import { SearchStatus } from "@/features/conversations/search-status";
import { useActive } from "@/features/conversations/use-active";
import { useSearch } from "@/features/conversations/use-search";
import { useToday } from "@/features/conversations/use-today";
import { closePanel, setDrawer } from "@/lib/panels";
import Dialog from "@/ui/dialog";

/** Search in titles and messages as one types; before that, what was talked about last. Arrows choose, Enter opens. */
export default function SearchDialog() {
  const { t } = useTranslation();
  const [typed, setTyped] = useState("");
  const search = useSearch(typed);
  const active = useActive(search.places.length, search.words);
  const today = useToday();

  return (
    <Dialog title={t("conversations.searchTitle")} onClose={closePanel} size="large">
      <div className="sticky -top-1 z-10 -mx-1 bg-raised px-1 pt-1 pb-2">
        <input
          ref={focused}
          type="search"
          role="combobox"
          aria-label={t("conversations.searchField")}
          placeholder={t("conversations.searchField")}
          aria-expanded={search.places.length > 0}
          aria-controls="places"
          aria-autocomplete="list"
          aria-activedescendant={search.places.length > 0 ? `place-${active.index}` : undefined}
          autoComplete="off"
          spellCheck={false}
          enterKeyHint="search"
          maxLength={MAX_QUERY_CHARS}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
          onKeyDown={(event) => active.onKeyDown(event, search.settled)}
          className="w-full rounded-lg border border-edge bg-paper px-3 py-2 text-base placeholder:text-muted [&::-webkit-search-cancel-button]:appearance-none"
        />
      </div>
      {/* As high as the dialog can be, so that the field stays where it is, whatever is found. */}
      <div className="min-h-[calc(92dvh-9.5rem)]">
        <div role="listbox" id="places" aria-label={t(search.words ? "conversations.results" : "conversations.recent")}>
          {search.places.map((place, index) => (
            <SearchOption
              key={place.key}
              id={`place-${index}`}
              place={place}
              words={search.words}
              today={today}
              active={index === active.index}
              onPoint={() => active.point(index)}
              onOpen={leave}
            />
          ))}
        </div>
        {search.hasMore && <NearEnd key={search.places.length} onNear={search.more} />}
        <SearchStatus search={search} />
      </div>
    </Dialog>
  );
}

function leave(): void {
  closePanel();
  setDrawer(false);
}
