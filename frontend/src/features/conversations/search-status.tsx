import { useTranslation } from "react-i18next";
import { sentenceOf } from "@/api/sentence";
import type { Search } from "@/features/conversations/use-search";
import { Button } from "@/ui/button";
import { Notice } from "@/ui/notice";
import { Spinner } from "@/ui/spinner";

/** Below what was found: that there is nothing, that it takes a while, or what went wrong. Else only read out: how many. */
export function SearchStatus({ search }: { search: Search }) {
  const { t } = useTranslation();
  const { words, places, waiting, error, hasMore, settled, retry } = search;
  const again = <Button onClick={retry}>{t("shell.retry")}</Button>;
  const count = t(hasMore ? "conversations.foundMore" : "conversations.found", { number: places.length });
  return (
    <>
      {error && (
        <Notice tone="danger" alert actions={again}>
          {sentenceOf(error)}
        </Notice>
      )}
      {!error && waiting && <Spinner label={t("shell.loading")} />}
      {/* It stays while its words change: only then are they read out. */}
      <div role="status">
        {places.length > 0 && <p className="sr-only">{words && settled && !waiting && count}</p>}
        {places.length === 0 && !waiting && !error && <Nothing words={words} />}
      </div>
    </>
  );
}

function Nothing({ words }: { words: string }) {
  const { t } = useTranslation();
  return (
    <div className="px-6 py-10 text-center text-sm text-muted">
      <p>{words ? t("conversations.nothingFound", { words: `\u2068${words}\u2069` }) : t("conversations.nothingYet")}</p>
      {words && <p className="mt-2">{t("conversations.nothingFoundHint")}</p>}
    </div>
  );
}
