import { Link, useRouter, type ErrorComponentProps } from "@tanstack/react-router";
import { useEffect, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { ApiError } from "@/api/client";
import { useConnection } from "@/api/connection";
import { sentenceOf } from "@/api/sentence";
import { isPartMissing } from "@/app/foreseen";
import { useTitle } from "@/lib/title";
import { Button, buttonClass } from "@/ui/button";
import { Spinner } from "@/ui/spinner";

/** What is shown instead of a page that failed: why, and what to do. It comes back by itself once the service does. */
export function RouteError({ error, reset }: ErrorComponentProps) {
  const { t } = useTranslation();
  const router = useRouter();
  const reached = useConnection((state) => state.reached);
  const isAway = error instanceof ApiError && error.code === "unreachable";
  useEffect(() => {
    if (!isAway || !reached) return;
    reset();
    void router.invalidate();
  }, [isAway, reached, reset, router]);

  const sentence = isPartMissing(error) ? t("shell.partMissing") : error instanceof ApiError ? sentenceOf(error) : t("shell.failed");
  return (
    <Plain sentence={isAway ? t("shell.away") : sentence} alert>
      <Button kind="primary" onClick={() => location.reload()}>
        {t("shell.reload")}
      </Button>
    </Plain>
  );
}

/** There is no such address. */
export function NotFound() {
  const { t } = useTranslation();
  useTitle(t("shell.notFound"));
  return (
    <main className="h-full">
      <Plain sentence={t("shell.notFound")}>
        <Link to="/" className={buttonClass("primary")}>
          {t("shell.home")}
        </Link>
      </Plain>
    </main>
  );
}

/** A page is being waited for. */
export function RoutePending() {
  const { t } = useTranslation();
  return <Spinner label={t("shell.loading")} />;
}

/** Nothing is there yet: it is not known who comes, or the service is away. */
export function FirstPending() {
  const { t } = useTranslation();
  return (
    <main className="h-full">
      <h1 className="sr-only">{t("shell.name")}</h1>
      <RoutePending />
    </main>
  );
}

function Plain({ sentence, alert = false, children }: { sentence: string; alert?: boolean; children: ReactNode }) {
  return (
    <div className="flex h-full min-h-60 flex-col items-center justify-center gap-5 px-6 text-center">
      <div role={alert ? "alert" : undefined}>
        <h1 className="max-w-md text-lg text-balance">{sentence}</h1>
      </div>
      {children}
    </div>
  );
}
