import { useQuery } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { invitationsQuery, useRevokeInvitation } from "@/api/admin";
import { ConfirmDialog } from "@/features/settings/confirm-dialog";
import { InviteDialog } from "@/features/settings/invite-dialog";
import { Loaded } from "@/features/settings/loaded";
import { day } from "@/lib/amounts";
import { Button } from "@/ui/button";
import { showToast } from "@/ui/toast";

/** The invitations that are still good, a new one, and the end of one. */
export function Invitations() {
  const { t } = useTranslation();
  const invitations = useQuery(invitationsQuery);
  const revoke = useRevokeInvitation();
  const [isInviting, setInviting] = useState(false);
  const [ending, setEnding] = useState<string | null>(null);
  return (
    <section>
      <div className="mb-3 flex flex-wrap items-center justify-between gap-2">
        <h3 className="font-medium">{t("settings.people.invitations")}</h3>
        <Button onClick={() => setInviting(true)}>
          <Plus aria-hidden className="size-4" />
          {t("settings.people.invite")}
        </Button>
      </div>
      <Loaded query={invitations}>
        {({ items }) =>
          items.length === 0 ? (
            <p className="text-sm text-muted">{t("settings.people.noInvitations")}</p>
          ) : (
            <ul className="divide-y divide-line border-y border-line">
              {items.map((one) => (
                <li key={one.id} className="flex items-center justify-between gap-3 py-2.5 text-sm">
                  <p>
                    {t("settings.people.invitationOf", { role: t(`settings.account.role.${one.role}`) })}
                    <span className="text-muted"> · {t("settings.people.expires", { day: day(one.expires_at) })}</span>
                  </p>
                  <Button kind="danger" className="shrink-0" onClick={() => setEnding(one.id)}>
                    {t("settings.people.revoke")}
                  </Button>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
      {isInviting && <InviteDialog onClose={() => setInviting(false)} />}
      {ending && (
        <ConfirmDialog
          title={t("settings.people.revokeTitle")}
          about={t("settings.people.revokeAbout")}
          action={t("settings.people.revoke")}
          id={ending}
          deed={revoke}
          onDone={() => {
            setEnding(null);
            showToast({ id: "invitation", text: t("settings.people.revoked") });
          }}
          onClose={() => {
            setEnding(null);
            revoke.reset();
          }}
        />
      )}
    </section>
  );
}
