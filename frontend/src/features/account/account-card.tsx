import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useTitle } from "@/lib/title";

/** The page around a form at which one comes in. */
export function AccountCard({ title, about, children }: { title: string; about?: ReactNode; children: ReactNode }) {
  const { t } = useTranslation();
  useTitle(title);
  return (
    <main className="flex min-h-full items-start justify-center px-4 py-[max(1.5rem,12vh)]">
      <div className="w-full max-w-sm">
        <p className="text-sm text-muted">{t("shell.name")}</p>
        <h1 className="mt-1 text-2xl font-semibold tracking-tight">{title}</h1>
        {about && <div className="mt-2 text-muted">{about}</div>}
        <div className="mt-6 flex flex-col gap-4">{children}</div>
      </div>
    </main>
  );
}

/** “or”, between two ways. */
export function Or() {
  const { t } = useTranslation();
  return (
    <p className="flex items-center gap-3 text-sm text-muted before:h-px before:flex-1 before:bg-line after:h-px after:flex-1 after:bg-line">
      {t("account.or")}
    </p>
  );
}
