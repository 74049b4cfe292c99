import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useRouter, useSearch } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { meQuery, oidcAddress, wayInQuery } from "@/api/accounts";
import { AccountCard, Or } from "@/features/account/account-card";
import { SignInForm } from "@/features/account/sign-in-form";
import { buttonClass } from "@/ui/button";

/** Where somebody with an account comes in, and is led on to where they were going. */
export default function SignInPage() {
  const { t } = useTranslation();
  const { next, invitation } = useSearch({ from: "/sign-in" });
  const { data: way } = useQuery(wayInQuery);
  const queries = useQueryClient();
  const router = useRouter();
  return (
    <AccountCard title={t("account.signIn")}>
      {way?.oidc && (
        <>
          <a className={buttonClass("plain")} href={oidcAddress(next ?? "/")}>
            {t("account.signInWith", { provider: way.oidc })}
          </a>
          <Or />
        </>
      )}
      <SignInForm
        onSignedIn={(user) => {
          queries.setQueryData(meQuery.queryKey, user);
          router.history.replace(next ?? "/");
        }}
      />
      <p className="text-sm text-muted">
        {way?.sign_up === "open" || invitation ? (
          <Link to="/sign-up" search={{ ...(next ? { next } : {}), ...(invitation ? { invitation } : {}) }} className="underline">
            {t("account.toSignUp")}
          </Link>
        ) : (
          t("account.needsInvitation")
        )}
      </p>
    </AccountCard>
  );
}
