import { useMutation, useQuery } from "@tanstack/react-query";
import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { changePassword, meQuery, signOut } from "@/api/accounts";
import { ApiError } from "@/api/client";
import { sentenceOf } from "@/api/sentence";
import { leave } from "@/features/account/leave";
import { isPassword, MAX_PASSWORD_CHARS } from "@/features/account/names";
import { sendHeld } from "@/features/conversations/deletions";
import { day } from "@/lib/amounts";
import { Button } from "@/ui/button";
import { TextField } from "@/ui/field";
import { Notice } from "@/ui/notice";
import { showToast } from "@/ui/toast";

/** Who one is, another password, and the way out. */
export default function AccountSection() {
  const { t } = useTranslation();
  const { data: me } = useQuery(meQuery);
  const out = useMutation({ mutationFn: () => sendHeld().then(signOut), onSuccess: leave });
  if (!me) return null;
  return (
    <div className="flex flex-col gap-9">
      <div>
        <p className="text-lg font-medium">{me.name}</p>
        <p className="text-sm text-muted">
          {t(`settings.account.role.${me.role}`)} · {t("settings.account.since", { day: day(me.created_at) })}
        </p>
      </div>
      <PasswordForm name={me.name} />
      <div className="flex flex-col items-start gap-2">
        {out.isError && (
          <Notice tone="danger" alert>
            {sentenceOf(out.error)}
          </Notice>
        )}
        <Button onClick={() => out.mutate()} disabled={out.isPending}>
          {t("account.signOut")}
        </Button>
        <p className="text-sm text-muted">{t("settings.account.signOutHint")}</p>
      </div>
    </div>
  );
}

function PasswordForm({ name }: { name: string }) {
  const { t } = useTranslation();
  const [old, setOld] = useState("");
  const [fresh, setFresh] = useState("");
  const [tried, setTried] = useState(false);
  const change = useMutation({
    mutationFn: changePassword,
    onSuccess: () => {
      setOld("");
      setFresh("");
      setTried(false);
      showToast({ id: "password", text: t("settings.account.changed") });
    },
  });
  const isWrong = change.error instanceof ApiError && change.error.code === "wrong_password";

  function submit(event: SubmitEvent) {
    event.preventDefault();
    setTried(true);
    if (old && isPassword(fresh) && !change.isPending) change.mutate({ old, new: fresh });
  }

  return (
    <form onSubmit={submit} noValidate className="flex max-w-sm flex-col gap-4">
      <h3 className="font-medium">{t("settings.account.password")}</h3>
      {change.isError && !isWrong && (
        <Notice tone="danger" alert>
          {sentenceOf(change.error)}
        </Notice>
      )}
      {/* For password managers: whose password it is. */}
      <input type="text" name="username" autoComplete="username" value={name} readOnly hidden />
      <TextField
        label={t("settings.account.old")}
        problem={isWrong ? t("account.wrongOld") : undefined}
        type="password"
        autoComplete="current-password"
        required
        maxLength={MAX_PASSWORD_CHARS}
        value={old}
        onChange={(event) => {
          setOld(event.target.value);
          change.reset();
        }}
      />
      <TextField
        label={t("settings.account.new")}
        hint={t("account.passwordHint")}
        problem={tried && !isPassword(fresh) ? t("account.passwordShort") : undefined}
        type="password"
        autoComplete="new-password"
        required
        maxLength={MAX_PASSWORD_CHARS}
        value={fresh}
        onChange={(event) => setFresh(event.target.value)}
      />
      <div>
        <Button type="submit" kind="primary" aria-disabled={change.isPending}>
          {t("settings.account.change")}
        </Button>
      </div>
    </form>
  );
}
