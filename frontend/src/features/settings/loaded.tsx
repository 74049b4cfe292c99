import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { sentenceOf } from "@/api/sentence";
import { Button } from "@/ui/button";
import { Notice } from "@/ui/notice";
import { Spinner } from "@/ui/spinner";

type Asked<T> = Pick<UseQueryResult<T>, "data" | "error" | "isError" | "refetch">;

/** What was asked for, once it is there; until then that it is on its way, or why it did not come. */
export function Loaded<T>({ query, children }: { query: Asked<T>; children: (data: T) => ReactNode }) {
  const { t } = useTranslation();
  if (query.data !== undefined) return children(query.data);
  if (!query.isError) return <Spinner label={t("shell.loading")} />;
  return (
    <Notice tone="danger" alert actions={<Button onClick={() => void query.refetch()}>{t("shell.retry")}</Button>}>
      {sentenceOf(query.error)}
    </Notice>
  );
}
