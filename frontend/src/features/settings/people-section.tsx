import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { meQuery } from "@/api/accounts";
import { usersQuery } from "@/api/admin";
import type { UserBody } from "@/api/generated";
import { AuditRecord } from "@/features/settings/audit-record";
import { Invitations } from "@/features/settings/invitations";
import { Loaded } from "@/features/settings/loaded";
import { UserDialog } from "@/features/settings/user-dialog";
import { day } from "@/lib/amounts";
import { Button } from "@/ui/button";

/** For administrators: who there is, who is invited, and what was done. */
export default function PeopleSection() {
  return (
    <div className="flex flex-col gap-10">
      <Users />
      <Invitations />
      <AuditRecord />
    </div>
  );
}

function Users() {
  const { t } = useTranslation();
  const users = useInfiniteQuery(usersQuery);
  const me = useQuery({ ...meQuery, enabled: false }).data;
  const [changing, setChanging] = useState<UserBody | null>(null);
  return (
    <section>
      <h3 className="mb-3 font-medium">{t("settings.people.users")}</h3>
      <Loaded query={users}>
        {({ pages }) => (
          <ul className="divide-y divide-line border-y border-line">
            {pages
              .flatMap((page) => page.items)
              .map((user) => (
                <UserRow key={user.id} user={user} isMe={user.id === me?.id} onChange={() => setChanging(user)} />
              ))}
          </ul>
        )}
      </Loaded>
      {users.hasNextPage && (
        <Button className="mt-3" disabled={users.isFetchingNextPage} onClick={() => void users.fetchNextPage()}>
          {t("settings.more")}
        </Button>
      )}
      {changing && <UserDialog user={changing} isMe={changing.id === me?.id} onClose={() => setChanging(null)} />}
    </section>
  );
}

function UserRow({ user, isMe, onChange }: { user: UserBody; isMe: boolean; onChange: () => void }) {
  const { t } = useTranslation();
  return (
    <li className="flex items-center gap-3 py-3">
      <div className="min-w-0 flex-1">
        <p className="font-medium">
          {user.name}
          {isMe && <span className="ml-1.5 text-sm font-normal text-muted">({t("settings.people.you")})</span>}
        </p>
        <p className="text-sm text-muted">
          {t(`settings.account.role.${user.role}`)} · {t("settings.account.since", { day: day(user.created_at) })}
          {user.suspended && <span className="text-danger"> · {t("settings.people.suspended")}</span>}
        </p>
      </div>
      <Button className="shrink-0" aria-label={t("settings.people.changeOf", { name: user.name })} onClick={onChange}>
        {t("settings.people.change")}
      </Button>
    </li>
  );
}
