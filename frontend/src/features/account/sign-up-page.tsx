import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useRouter, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { meQuery, oidcAddress, wayInQuery } from "@/api/accounts";
import { AccountCard, Or } from "@/features/account/account-card";
import { SignUpForm } from "@/features/account/sign-up-form";
import { TakeOver } from "@/features/account/take-over";
import { buttonClass } from "@/ui/button";

/** Where somebody makes an account: the first one of all, with an invitation, or freely. */
export default function SignUpPage() {
  const { t } = useTranslation();
  const { next, invitation } = useSearch({ from: "/sign-up" });
  const { data: way } = useQuery(wayInQuery);
  const queries = useQueryClient();
  const router = useRouter();
  const [takeOver, setTakeOver] = useState(true);
  const isFirst = way?.sign_up === "first";
  return (
    <AccountCard title={t("account.signUp")} about={isFirst && t("account.first")}>
      {isFirst && <TakeOver checked={takeOver} onChange={setTakeOver} />}
      {way?.oidc && (isFirst || invitation || way.sign_up === "open") && (
        <>
          <a className={buttonClass("plain")} href={oidcAddress(next ?? "/", { invitation, takeOver })}>
            {t("account.signUpWith", { provider: way.oidc })}
          </a>
          <Or />
        </>
      )}
      <SignUpForm
        invitation={invitation}
        asksInvitation={way?.sign_up === "invitation"}
        takeOver={takeOver}
        onSignedUp={(user) => {
          queries.setQueryData(meQuery.queryKey, user);
          void queries.invalidateQueries(wayInQuery);
          router.history.replace(next ?? "/");
        }}
      />
      {!isFirst && (
        <p className="text-sm">
          <Link to="/sign-in" search={{ ...(next ? { next } : {}), ...(invitation ? { invitation } : {}) }} className="text-muted underline">
            {t("account.toSignIn")}
          </Link>
        </p>
      )}
    </AccountCard>
  );
}
