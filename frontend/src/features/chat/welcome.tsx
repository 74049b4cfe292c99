import { useQuery } from "@tanstack/react-query";
import { Trans, useTranslation } from "react-i18next";
import { modelsQuery } from "@/api/models";
import { Notice } from "@/ui/notice";

const EMBEDDED = "embedded"; // the provider of the model that runs inside the service

/** The beginning of a conversation. With the embedded model, or with none, it says how to have a better one. */
export function Welcome({ model }: { model: string | null }) {
  const { t } = useTranslation();
  const { data: models } = useQuery(modelsQuery);
  const asked = models?.find(({ id, default: isDefault }) => (model === null ? isDefault : id === model));
  return (
    <div className="mx-auto flex min-h-full w-full max-w-[46rem] flex-col justify-end gap-6 px-4 pb-6 sm:justify-center sm:px-5">
      <div className="text-center">
        <h2 className="text-2xl font-semibold text-balance">{t("chat.welcome")}</h2>
        <p className="mt-2 text-balance text-muted">{t("chat.welcomeAbout")}</p>
      </div>
      {asked?.provider === EMBEDDED && (
        <Notice>
          <p>{t("chat.embedded")}</p>
          <p className="mt-1 text-muted">
            <Trans i18nKey="chat.embeddedBetter" components={{ code: <Code /> }} />
          </p>
        </Notice>
      )}
      {models?.length === 0 && (
        <Notice tone="warn">
          <Trans i18nKey="chat.noModel" components={{ code: <Code /> }} />
        </Notice>
      )}
    </div>
  );
}

function Code({ children }: { children?: React.ReactNode }) {
  return <code className="rounded bg-hover px-1 py-0.5 font-mono text-[0.9em]">{children}</code>;
}
