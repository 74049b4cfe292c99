import { useMutation } from "@tanstack/react-query";
import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { signIn } from "@/api/accounts";
import type { UserBody } from "@/api/generated";
import { sentenceOf } from "@/api/sentence";
import { MAX_NAME_CHARS, MAX_PASSWORD_CHARS } from "@/features/account/names";
import { Button } from "@/ui/button";
import { TextField } from "@/ui/field";
import { Notice } from "@/ui/notice";

/** Name and password. `name`: who it is known to be, so that only the password is asked for. */
export function SignInForm({ name: known, onSignedIn }: { name?: string | undefined; onSignedIn: (user: UserBody) => void }) {
  const { t } = useTranslation();
  const [name, setName] = useState(known ?? "");
  const [password, setPassword] = useState("");
  const attempt = useMutation({ mutationFn: signIn, onSuccess: onSignedIn });

  function submit(event: SubmitEvent) {
    event.preventDefault();
    if (!attempt.isPending) attempt.mutate({ name: name.trim(), password });
  }

  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      {attempt.isError && (
        <Notice tone="danger" alert>
          {sentenceOf(attempt.error)}
        </Notice>
      )}
      <TextField
        label={t("account.name")}
        name="username"
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        required
        maxLength={MAX_NAME_CHARS}
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <TextField
        label={t("account.password")}
        name="password"
        type="password"
        autoComplete="current-password"
        required
        maxLength={MAX_PASSWORD_CHARS}
        value={password}
        onChange={(event) => setPassword(event.target.value)}
      />
      <Button type="submit" kind="primary" aria-disabled={attempt.isPending}>
        {t("account.signIn")}
      </Button>
    </form>
  );
}
