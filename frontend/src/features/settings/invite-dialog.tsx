import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { useInvite } from "@/api/admin";
import type { UserBody } from "@/api/generated";
import { sentenceOf } from "@/api/sentence";
import { Secret } from "@/features/settings/secret";
import { day } from "@/lib/amounts";
import { Button } from "@/ui/button";
import Dialog from "@/ui/dialog";
import { Choice } from "@/ui/field";
import { Notice } from "@/ui/notice";

const PERIODS = ["1", "7", "30"] as const; // days

/** Make an invitation, then show its link: only here, and only until this is closed. */
export function InviteDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const [role, setRole] = useState<UserBody["role"]>("user");
  const [days, setDays] = useState<(typeof PERIODS)[number]>("7");
  const invite = useInvite();

  function submit(event: SubmitEvent) {
    event.preventDefault();
    if (!invite.isPending) invite.mutate({ role, days: Number(days) });
  }

  if (invite.data) {
    const link = `${location.origin}/sign-up?${new URLSearchParams({ invitation: invite.data.invitation })}`;
    return (
      <Dialog
        title={t("settings.people.madeTitle")}
        about={t("settings.people.made", { day: day(invite.data.expires_at) })}
        onClose={onClose}
      >
        <div className="flex flex-col gap-4 pt-3">
          <Secret label={t("settings.people.link")} text={link} />
          <Button kind="primary" onClick={onClose}>
            {t("shell.close")}
          </Button>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title={t("settings.people.invite")} onClose={onClose}>
      <form onSubmit={submit} className="flex flex-col gap-5 pt-2">
        {invite.isError && (
          <Notice tone="danger" alert>
            {sentenceOf(invite.error)}
          </Notice>
        )}
        <Choice
          label={t("settings.people.inviteRole")}
          value={role}
          options={[
            { value: "user", label: t("settings.account.role.user") },
            { value: "admin", label: t("settings.account.role.admin") },
          ]}
          onChange={setRole}
        />
        <Choice
          label={t("settings.people.inviteDays")}
          value={days}
          options={PERIODS.map((one) => ({ value: one, label: t("settings.people.days", { days: one }) }))}
          onChange={setDays}
        />
        <Button type="submit" kind="primary" aria-disabled={invite.isPending}>
          {t("settings.people.makeLink")}
        </Button>
      </form>
    </Dialog>
  );
}
