import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { useChangeUser } from "@/api/admin";
import type { LimitsBody, UserBody } from "@/api/generated";
import { sentenceOf } from "@/api/sentence";
import { limitOf, LIMITS, textsOf } from "@/features/settings/limits";
import { Button } from "@/ui/button";
import Dialog from "@/ui/dialog";
import { Choice, TextField } from "@/ui/field";
import { Notice } from "@/ui/notice";
import { showToast } from "@/ui/toast";

/** What an administrator may change about somebody: role, suspension, limits. Nobody suspends themselves. */
export function UserDialog({ user, isMe, onClose }: { user: UserBody; isMe: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  const [role, setRole] = useState(user.role);
  const [access, setAccess] = useState<"active" | "suspended">(user.suspended ? "suspended" : "active");
  const [texts, setTexts] = useState(textsOf(user.limits));
  const change = useChangeUser();
  const limits = LIMITS.map((name) => ({ name, limit: limitOf(name, texts[name]) }));

  function submit(event: SubmitEvent) {
    event.preventDefault();
    if (change.isPending || limits.some(({ limit }) => limit === undefined)) return;
    const body = { role, suspended: access === "suspended", limits: Object.fromEntries(limits.map(({ name, limit }) => [name, limit])) as LimitsBody };
    change.mutate(
      { id: user.id, change: body },
      {
        onSuccess: () => {
          showToast({ id: "user", text: t("settings.saved") });
          onClose();
        },
      },
    );
  }

  return (
    <Dialog title={user.name} onClose={onClose}>
      <form onSubmit={submit} noValidate className="flex flex-col gap-5 pt-2">
        {change.isError && (
          <Notice tone="danger" alert>
            {sentenceOf(change.error)}
          </Notice>
        )}
        <Choice
          label={t("settings.people.role")}
          value={role}
          options={[
            { value: "user", label: t("settings.account.role.user") },
            { value: "admin", label: t("settings.account.role.admin") },
          ]}
          onChange={setRole}
        />
        {!isMe && (
          <div className="flex flex-col gap-1.5">
            <Choice
              label={t("settings.people.access")}
              value={access}
              options={[
                { value: "active", label: t("settings.people.active") },
                { value: "suspended", label: t("settings.people.suspended") },
              ]}
              onChange={setAccess}
            />
            <p className="text-sm text-muted">{t("settings.people.suspendHint")}</p>
          </div>
        )}
        <fieldset className="flex flex-col gap-3">
          <legend className="text-sm font-medium">{t("settings.people.limits")}</legend>
          <p className="text-sm text-muted">{t("settings.people.limitsHint")}</p>
          {limits.map(({ name, limit }) => (
            <TextField
              key={name}
              label={t(`settings.usage.limit.${name}`)}
              hint={name === "budget_per_month" ? t("settings.people.budgetUnit") : undefined}
              problem={limit === undefined ? t("settings.people.invalidLimit") : undefined}
              inputMode={name === "budget_per_month" ? "decimal" : "numeric"}
              autoComplete="off"
              value={texts[name]}
              onChange={(event) => setTexts({ ...texts, [name]: event.target.value })}
            />
          ))}
        </fieldset>
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t("shell.cancel")}</Button>
          <Button type="submit" kind="primary" aria-disabled={change.isPending}>
            {t("settings.save")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
