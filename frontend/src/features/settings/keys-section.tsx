import { useQuery } from "@tanstack/react-query";
import { KeyRound, Plus } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { keysQuery, useRevokeKey } from "@/api/keys";
import type { KeyBody } from "@/api/generated";
import { ConfirmDialog } from "@/features/settings/confirm-dialog";
import { Loaded } from "@/features/settings/loaded";
import { NewKeyDialog } from "@/features/settings/new-key-dialog";
import { day } from "@/lib/amounts";
import { Button } from "@/ui/button";
import { showToast } from "@/ui/toast";

/** One's keys: what they are for and may do, a new one, and the end of one. */
export default function KeysSection() {
  const { t } = useTranslation();
  const keys = useQuery(keysQuery);
  const revoke = useRevokeKey();
  const [isMaking, setMaking] = useState(false);
  const [ending, setEnding] = useState<KeyBody | null>(null);
  return (
    <div className="flex flex-col gap-5">
      <p className="max-w-prose text-muted">{t("settings.keys.about")}</p>
      <div>
        <Button kind="primary" onClick={() => setMaking(true)}>
          <Plus aria-hidden className="size-4" />
          {t("settings.keys.new")}
        </Button>
      </div>
      <Loaded query={keys}>
        {({ items }) =>
          items.length === 0 ? (
            <p className="text-muted">{t("settings.keys.none")}</p>
          ) : (
            <ul className="divide-y divide-line border-y border-line">
              {items.map((key) => (
                <li key={key.id} className="flex items-center gap-3 py-3">
                  <KeyRound aria-hidden className="size-4.5 shrink-0 text-muted max-sm:hidden" />
                  <div className="min-w-0 flex-1">
                    <p className="font-medium">
                      {key.name} <code className="ml-1 font-mono text-sm font-normal text-muted">{key.prefix}…</code>
                    </p>
                    <p className="text-sm text-muted">{key.scopes.map((scope) => t(`settings.keys.scope.${scope}`)).join(" · ")}</p>
                    <p className="text-sm text-muted">
                      {t("settings.keys.created", { day: day(key.created_at) })} ·{" "}
                      {key.used_at ? t("settings.keys.used", { day: day(key.used_at) }) : t("settings.keys.unused")}
                    </p>
                  </div>
                  <Button kind="danger" className="shrink-0" aria-label={t("settings.keys.revokeOf", { name: key.name })} onClick={() => setEnding(key)}>
                    {t("settings.keys.revoke")}
                  </Button>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
      {isMaking && <NewKeyDialog onClose={() => setMaking(false)} />}
      {ending && (
        <ConfirmDialog
          title={t("settings.keys.revokeTitle")}
          about={t("settings.keys.revokeAbout", { name: ending.name })}
          action={t("settings.keys.revoke")}
          id={ending.id}
          deed={revoke}
          onDone={() => {
            setEnding(null);
            showToast({ id: "key", text: t("settings.keys.revoked") });
          }}
          onClose={() => {
            setEnding(null);
            revoke.reset();
          }}
        />
      )}
    </div>
  );
}
