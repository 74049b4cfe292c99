import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import type { ApiError } from "@/api/client";
import { sentenceOf } from "@/api/sentence";
import { Button, buttonClass } from "@/ui/button";
import { Notice } from "@/ui/notice";

/** While the messages are on their way: where they will be. It appears after a moment, so that short waits do not blink. */
export function Loading() {
  const { t } = useTranslation();
  return (
    <div role="status" className="mx-auto w-full max-w-[46rem] animate-[fade-in_200ms_300ms_both] px-4 py-6 sm:px-5">
      <span className="sr-only">{t("chat.loading")}</span>
      <div aria-hidden className="flex animate-pulse flex-col gap-4">
        <span className="h-11 w-2/5 self-end rounded-2xl bg-hover" />
        <span className="h-3.5 w-11/12 rounded bg-hover" />
        <span className="h-3.5 w-full rounded bg-hover" />
        <span className="h-3.5 w-3/4 rounded bg-hover" />
        <span className="mt-4 h-11 w-1/2 self-end rounded-2xl bg-hover" />
        <span className="h-3.5 w-full rounded bg-hover" />
        <span className="h-3.5 w-2/3 rounded bg-hover" />
      </div>
    </div>
  );
}

/** `onStart`: somebody begins a new one instead. */
export function Missing({ onStart }: { onStart: () => void }) {
  const { t } = useTranslation();
  return (
    <Centred>
      <Notice
        actions={
          <Link to="/" className={buttonClass()} onClick={onStart}>
            {t("chat.startNew")}
          </Link>
        }
      >
        {t("chat.missing")}
      </Notice>
    </Centred>
  );
}

export function Failed({ problem, onRetry }: { problem: ApiError | null; onRetry: () => void }) {
  const { t } = useTranslation();
  return (
    <Centred>
      <Notice tone="danger" alert actions={<Button onClick={onRetry}>{t("shell.retry")}</Button>}>
        {sentenceOf(problem)}
      </Notice>
    </Centred>
  );
}

export function Empty() {
  const { t } = useTranslation();
  return (
    <Centred>
      <p className="text-center text-muted">{t("chat.empty")}</p>
    </Centred>
  );
}

function Centred({ children }: { children: React.ReactNode }) {
  return <div className="mx-auto flex h-full w-full max-w-[36rem] flex-col justify-center px-4">{children}</div>;
}
