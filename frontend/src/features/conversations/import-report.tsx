import { clsx } from "clsx";
import { useTranslation } from "react-i18next";
import { ApiError } from "@/api/client";
import type { ImportBody, SkippedBody } from "@/api/generated";
import { sentenceOf } from "@/api/sentence";
import { cancelImport, useImport, type Import, type ImportProblem } from "@/features/conversations/imports";
import { quoted } from "@/features/conversations/title";
import { unreachable } from "@/lib/unreachable";
import { Button } from "@/ui/button";
import { Notice } from "@/ui/notice";

const OF_ALL = "The file: "; // what the service begins with where it names no place in the file

/** How the import stands, and how it ended. */
export function ImportReport() {
  const { t } = useTranslation();
  const now = useImport((state) => state.now);
  return (
    <>
      {/* The steps are read out, how far it is is not. */}
      <p role="status" className="sr-only">
        {now.step === "sending" && t("conversations.sending", { name: quoted(now.name) })}
        {now.step === "reading" && t("conversations.reading", { name: quoted(now.name) })}
        {now.step === "cancelled" && t("conversations.importCancelled")}
      </p>
      <div className="mt-3 empty:hidden">
        <Shown now={now} />
      </div>
    </>
  );
}

function Shown({ now }: { now: Import }) {
  const { t } = useTranslation();
  switch (now.step) {
    case "none":
      return null;
    case "sending":
    case "reading":
      return <Progress now={now} />;
    case "done":
      return <Result name={quoted(now.name)} result={now.result} />;
    case "failed":
      return (
        <Notice tone="danger" alert>
          <p>{t("conversations.importFailed", { name: quoted(now.name) })}</p>
          <Reason problem={now.problem} />
        </Notice>
      );
    case "cancelled":
      return <Notice>{t("conversations.importCancelled")}</Notice>;
    default:
      return unreachable(now);
  }
}

function Progress({ now }: { now: Extract<Import, { step: "sending" | "reading" }> }) {
  const { t, i18n } = useTranslation();
  const words = t(now.step === "sending" ? "conversations.sending" : "conversations.reading", { name: quoted(now.name) });
  const percent = new Intl.NumberFormat(i18n.language, { style: "percent" });
  const share = now.step === "sending" ? now.share : undefined;
  return (
    <div className="rounded-xl border border-line bg-surface px-4 py-3 text-sm">
      <div className="flex min-h-9 items-center justify-between gap-4">
        <p className="min-w-0" aria-hidden>
          {words}
        </p>
        {share !== undefined && (
          <span className="flex shrink-0 items-center gap-3 tabular-nums">
            {percent.format(share)}
            <Button onClick={cancelImport}>{t("shell.cancel")}</Button>
          </span>
        )}
      </div>
      <Bar label={words} share={share} />
    </div>
  );
}

/** How much is done, from 0 to 1; without `share` nobody knows. */
function Bar({ label, share }: { label: string; share: number | undefined }) {
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      {...(share !== undefined && { "aria-valuenow": Math.round(share * 100) })}
      className="mt-2 h-1.5 overflow-hidden rounded-full bg-line"
    >
      <div
        className={clsx("h-full rounded-full bg-accent transition-[width]", share === undefined && "animate-pulse")}
        style={{ width: `${(share ?? 1) * 100}%` }}
      />
    </div>
  );
}

function Reason({ problem }: { problem: ImportProblem }) {
  const { t } = useTranslation();
  if (problem === "cut") return <p>{t("conversations.importCut")}</p>;
  if (problem === "zip") return <p>{t("conversations.importZip")}</p>;
  const { error } = problem;
  return error instanceof ApiError && error.code === "invalid" ? <Broken detail={error.message} /> : <p>{sentenceOf(error)}</p>;
}

/** What is wrong in the file. The service says it in English only, which is shown where it names the place. */
function Broken({ detail }: { detail: string }) {
  const { t } = useTranslation();
  if (detail.startsWith(OF_ALL)) return <p>{t("conversations.importDamaged")}</p>;
  return (
    <>
      <p>{t("conversations.importBroken")}</p>
      <p lang="en" className="mt-1 font-mono text-xs">
        {detail}
      </p>
    </>
  );
}

function Result({ name, result }: { name: string; result: ImportBody }) {
  const { t, i18n } = useTranslation();
  const number = new Intl.NumberFormat(i18n.language);
  const { conversations, messages, skipped } = result;
  const added = conversations + messages > 0;
  const nothing = skipped.length > 0 ? "conversations.importNoneTaken" : "conversations.importNothing";
  return (
    <Notice alert>
      <p className="font-medium">{t(added ? "conversations.importDone" : nothing, { name })}</p>
      {added && (
        <dl className="mt-1 grid w-fit grid-cols-[auto_auto] gap-x-4 tabular-nums">
          <dt className="text-muted">{t("conversations.addedConversations")}</dt>
          <dd className="text-end">{number.format(conversations)}</dd>
          <dt className="text-muted">{t("conversations.addedMessages")}</dt>
          <dd className="text-end">{number.format(messages)}</dd>
        </dl>
      )}
      {skipped.length > 0 && (
        <details className="mt-2">
          <summary className="text-muted">{t("conversations.skipped", { number: number.format(skipped.length) })}</summary>
          <ul className="mt-2 flex max-h-60 flex-col gap-2 overflow-y-auto">
            {skipped.map((one, place) => (
              // eslint-disable-next-line react/no-array-index-key -- the list never changes
              <li key={place}>
                {one.where && <code className="block font-mono text-xs text-muted">{one.where}</code>}
                <Why skipped={one} />
              </li>
            ))}
          </ul>
        </details>
      )}
    </Notice>
  );
}

/** The reason in the person's language; one that this page has no words for is told by the service's own sentence. */
function Why({ skipped: { code, kind, number, why } }: { skipped: SkippedBody }) {
  const { t, i18n } = useTranslation();
  const shown = new Intl.NumberFormat(i18n.language).format(number ?? 0);
  return t(`conversations.why.${code}`, { kind: kind ?? "", number: shown, defaultValue: why });
}
