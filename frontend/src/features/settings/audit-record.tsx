import { useInfiniteQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { auditQuery, usersQuery } from "@/api/admin";
import type { DeedBody } from "@/api/generated";
import { Loaded } from "@/features/settings/loaded";
import { moment } from "@/lib/amounts";
import type en from "@/lib/locales/en/settings";
import { Button } from "@/ui/button";

/** Sign-ins, keys, invitations, roles and suspensions, newest first. */
export function AuditRecord() {
  const { t } = useTranslation();
  const deeds = useInfiniteQuery(auditQuery);
  const users = useInfiniteQuery(usersQuery);
  const names = new Map(users.data?.pages.flatMap((page) => page.items).map((user) => [user.id, user.name]));
  return (
    <section>
      <h3 className="mb-3 font-medium">{t("settings.people.record")}</h3>
      <Loaded query={deeds}>
        {({ pages }) => (
          <ol className="divide-y divide-line border-y border-line text-sm">
            {pages
              .flatMap((page) => page.items)
              .map((deed) => (
                <Deed key={deed.id} deed={deed} names={names} />
              ))}
          </ol>
        )}
      </Loaded>
      {deeds.hasNextPage && (
        <Button className="mt-3" disabled={deeds.isFetchingNextPage} onClick={() => void deeds.fetchNextPage()}>
          {t("settings.more")}
        </Button>
      )}
    </section>
  );
}

function Deed({ deed, names }: { deed: DeedBody; names: ReadonlyMap<string, string> }) {
  const { t } = useTranslation();
  const subject = names.get(deed.subject ?? "");
  const actor = names.get(deed.actor_id ?? "");
  return (
    <li className="flex flex-wrap justify-between gap-x-4 py-2">
      <span>
        {t(`settings.people.kind.${deed.kind as keyof typeof en.people.kind}`, { defaultValue: deed.kind })}
        {subject && <span className="text-muted"> · {subject}</span>}
        {actor && actor !== subject && <span className="text-muted"> · {t("settings.people.by", { name: actor })}</span>}
      </span>
      <time dateTime={deed.at} className="text-muted">
        {moment(deed.at)}
      </time>
    </li>
  );
}
