import { useQuery } from "@tanstack/react-query";
import { useState, type SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { meQuery } from "@/api/accounts";
import { useCreateKey } from "@/api/keys";
import type { KeyBody } from "@/api/generated";
import { sentenceOf } from "@/api/sentence";
import { Secret } from "@/features/settings/secret";
import { Button } from "@/ui/button";
import Dialog from "@/ui/dialog";
import { TextField } from "@/ui/field";
import { Notice } from "@/ui/notice";

type Scope = KeyBody["scopes"][number];

const SCOPES: readonly Scope[] = ["read", "chat", "admin"];
const MAX_NAME_CHARS = 100;

/** Make a key, then show it: only here, and only until this is closed. */
export function NewKeyDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const create = useCreateKey();
  if (!create.data) {
    return (
      <Dialog title={t("settings.keys.new")} onClose={onClose}>
        <KeyForm create={create} />
      </Dialog>
    );
  }
  return (
    <Dialog title={t("settings.keys.madeTitle")} about={t("settings.keys.made")} onClose={onClose}>
      <div className="flex flex-col gap-4 pt-3">
        <Secret label={t("settings.keys.madeTitle")} text={create.data.key} />
        <Button kind="primary" onClick={onClose}>
          {t("settings.keys.done")}
        </Button>
      </div>
    </Dialog>
  );
}

function KeyForm({ create }: { create: ReturnType<typeof useCreateKey> }) {
  const { t } = useTranslation();
  const { data: me } = useQuery(meQuery);
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<readonly Scope[]>(["read", "chat"]);
  const offered = SCOPES.filter((scope) => scope !== "admin" || me?.role === "admin");

  function submit(event: SubmitEvent) {
    event.preventDefault();
    if (name.trim() && scopes.length > 0 && !create.isPending) create.mutate({ name: name.trim(), scopes: [...scopes] });
  }

  return (
    <form onSubmit={submit} className="flex flex-col gap-4 pt-2">
      {create.isError && (
        <Notice tone="danger" alert>
          {sentenceOf(create.error)}
        </Notice>
      )}
      <TextField
        label={t("settings.keys.name")}
        placeholder={t("settings.keys.example")}
        required
        autoComplete="off"
        maxLength={MAX_NAME_CHARS}
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <fieldset className="flex flex-col gap-1">
        <legend className="mb-1.5 text-sm font-medium">{t("settings.keys.scopes")}</legend>
        {offered.map((scope) => (
          <label key={scope} className="flex min-h-9 items-center gap-2.5 text-sm pointer-coarse:min-h-11">
            <input
              type="checkbox"
              className="size-4 accent-accent"
              checked={scopes.includes(scope)}
              onChange={({ target }) => setScopes(target.checked ? [...scopes, scope] : scopes.filter((one) => one !== scope))}
            />
            {t(`settings.keys.scope.${scope}`)}
          </label>
        ))}
        {scopes.length === 0 && (
          <p role="alert" className="text-sm text-danger">
            {t("settings.keys.scopesNeeded")}
          </p>
        )}
      </fieldset>
      <Button type="submit" kind="primary" aria-disabled={create.isPending || scopes.length === 0}>
        {t("settings.keys.create")}
      </Button>
    </form>
  );
}
