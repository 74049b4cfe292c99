import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { meQuery, oidcAddress, wayInQuery } from "@/api/accounts";
import { sessionOpened } from "@/api/connection";
import type { UserBody } from "@/api/generated";
import { Or } from "@/features/account/account-card";
import { leaveAs } from "@/features/account/leave";
import { SignInForm } from "@/features/account/sign-in-form";
import { buttonClass } from "@/ui/button";
import Dialog from "@/ui/dialog";

/** Sign in again without leaving the page: what is typed and shown stays, unless it is somebody else who signs in. */
export default function SessionDialog() {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const { data: way } = useQuery(wayInQuery);
  const [before] = useState(() => queries.getQueryData(meQuery.queryKey));

  function goOn(user: UserBody): void {
    if (before && before.id !== user.id) return leaveAs("/");
    queries.setQueryData(meQuery.queryKey, user);
    sessionOpened();
    return void queries.invalidateQueries();
  }

  // They may have signed in in another tab, with the provider or not.
  useEffect(() => {
    function seen(): void {
      if (document.visibilityState !== "visible") return;
      void queries.fetchQuery({ ...meQuery, staleTime: 0 }).then((user) => user && goOn(user), () => undefined);
    }
    document.addEventListener("visibilitychange", seen);
    return () => document.removeEventListener("visibilitychange", seen);
  });

  return (
    // Closed, one can still read and copy; the next request that is refused opens it again.
    <Dialog title={t("account.ended.title")} about={t("account.ended.about")} onClose={sessionOpened}>
      <div className="flex flex-col gap-4 pt-2">
        <SignInForm name={before?.name} onSignedIn={goOn} />
        {way?.oidc && (
          <>
            <Or />
            <a className={buttonClass("plain")} href={oidcAddress("/")} target="_blank" rel="noopener">
              {t("account.signInWith", { provider: way.oidc })}
            </a>
            <p className="-mt-2 text-sm text-muted">{t("account.ended.oidcHint")}</p>
          </>
        )}
      </div>
    </Dialog>
  );
}
