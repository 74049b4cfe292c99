import { useId, useMemo } from "react";
import { useTranslation } from "react-i18next";
import type { ConversationBody } from "@/api/generated";
import { sentenceOf } from "@/api/sentence";
import { ConversationItem } from "@/features/conversations/conversation-item";
import { groupByDay } from "@/features/conversations/days";
import { NearEnd } from "@/features/conversations/near-end";
import { useActions, type Actions } from "@/features/conversations/use-actions";
import { useList } from "@/features/conversations/use-list";
import { useToday } from "@/features/conversations/use-today";
import { Button } from "@/ui/button";
import { Notice } from "@/ui/notice";
import { Spinner } from "@/ui/spinner";

/** The conversations that are kept, or those that were put away, under their days; the next ones come as one scrolls. */
export function ConversationList({ archived }: { archived: boolean }) {
  const { t, i18n } = useTranslation();
  const list = useList(archived);
  const actions = useActions();
  const today = useToday();
  const groups = useMemo(() => groupByDay(list.items, today, i18n.language), [list.items, today, i18n.language]);
  return (
    <div className="min-h-0 flex-1 overflow-y-auto overscroll-contain px-2 pb-4">
      <Section name={t("conversations.pinned")} items={list.pinned} actions={actions} />
      {groups.map(({ key, heading, items }) => (
        <Section
          key={key}
          name={heading.kind === "named" ? heading.name : t(`conversations.${heading.kind}`)}
          items={items}
          actions={actions}
        />
      ))}
      {list.error ? (
        <Notice tone="danger" alert actions={<Button onClick={list.retry}>{t("shell.retry")}</Button>}>
          {list.pinned.length + list.items.length > 0 && <p>{t("conversations.moreFailed")}</p>}
          <p>{sentenceOf(list.error)}</p>
        </Notice>
      ) : (
        list.waiting && <Spinner label={t("shell.loading")} />
      )}
      {list.hasMore && <NearEnd key={list.pinned.length + list.items.length} onNear={list.more} />}
      {list.empty && (
        <p className="px-3 py-6 text-sm text-muted">{t(archived ? "conversations.emptyArchive" : "conversations.empty")}</p>
      )}
    </div>
  );
}

interface SectionProps {
  name: string;
  items: readonly ConversationBody[];
  actions: Actions;
}

function Section({ name, items, actions }: SectionProps) {
  const id = useId();
  if (items.length === 0) return null;
  return (
    <section aria-labelledby={id}>
      <h2 id={id} className="px-3 pt-4 pb-1 text-xs font-medium text-muted">
        {name}
      </h2>
      <ul>
        {items.map((item) => (
          <ConversationItem key={item.id} conversation={item} actions={actions} />
        ))}
      </ul>
    </section>
  );
}
