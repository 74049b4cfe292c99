import { useMutation } from "@tanstack/react-query";
import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { signUp } from "@/api/accounts";
import { ApiError } from "@/api/client";
import type { UserBody } from "@/api/generated";
import { sentenceOf } from "@/api/sentence";
import { isName, isPassword, MAX_NAME_CHARS, MAX_PASSWORD_CHARS } from "@/features/account/names";
import { Button } from "@/ui/button";
import { TextField } from "@/ui/field";
import { Notice } from "@/ui/notice";

interface SignUpFormProps {
  /** From the link that somebody was sent. */
  invitation: string | undefined;
  /** An account needs an invitation; without one in the link it can be typed. */
  asksInvitation: boolean;
  takeOver: boolean;
  onSignedUp: (user: UserBody) => void;
}

/** A name and a password for a new account. What is wrong is said at its field once one has tried. */
export function SignUpForm({ invitation: given, asksInvitation, takeOver, onSignedUp }: SignUpFormProps) {
  const { t } = useTranslation();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [invitation, setInvitation] = useState("");
  const [tried, setTried] = useState(false);
  const attempt = useMutation({ mutationFn: signUp, onSuccess: onSignedUp });
  const isTaken = attempt.error instanceof ApiError && attempt.error.code === "name_taken";

  function submit(event: SubmitEvent) {
    event.preventDefault();
    setTried(true);
    if (!isName(name.trim()) || !isPassword(password) || attempt.isPending) return;
    const code = given ?? invitation.trim();
    attempt.mutate({ name: name.trim(), password, take_over: takeOver, ...(code ? { invitation: code } : {}) });
  }

  return (
    <form onSubmit={submit} noValidate className="flex flex-col gap-4">
      {attempt.isError && !isTaken && (
        <Notice tone="danger" alert>
          {sentenceOf(attempt.error)}
        </Notice>
      )}
      {asksInvitation && !given && (
        <TextField
          label={t("account.invitation")}
          hint={t("account.invitationHint")}
          autoComplete="off"
          maxLength={100}
          value={invitation}
          onChange={(event) => setInvitation(event.target.value)}
        />
      )}
      <TextField
        label={t("account.name")}
        hint={t("account.nameHint")}
        problem={isTaken ? sentenceOf(attempt.error) : tried && !isName(name.trim()) ? t("account.nameInvalid") : undefined}
        name="username"
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        required
        maxLength={MAX_NAME_CHARS}
        value={name}
        onChange={(event) => {
          setName(event.target.value);
          attempt.reset();
        }}
      />
      <TextField
        label={t("account.password")}
        hint={t("account.passwordHint")}
        problem={tried && !isPassword(password) ? t("account.passwordShort") : undefined}
        name="password"
        type="password"
        autoComplete="new-password"
        required
        maxLength={MAX_PASSWORD_CHARS}
        value={password}
        onChange={(event) => setPassword(event.target.value)}
      />
      <Button type="submit" kind="primary" aria-disabled={attempt.isPending}>
        {t("account.signUp")}
      </Button>
    </form>
  );
}
