import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
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
            <WithCode text={t("chat.embeddedBetter")} />
          </p>
        </Notice>
      )}
      {models?.length === 0 && (
        <Notice tone="warn">
          <WithCode text={t("chat.noModel")} />
        </Notice>
      )}
    </div>
  );
}

/** A sentence of ours, with what stands between backticks as code. (i18next's `Trans` does it too, with 7 kB of the first load.) */
function WithCode({ text }: { text: string }) {
  const code = "rounded bg-hover px-1 py-0.5 font-mono text-[0.9em]";
  return text.split("`").map((piece, index) =>
    index % 2 ? (
      <code key={piece} className={code}>
        {piece}
      </code>
    ) : (
      piece
    ),
  );
}
