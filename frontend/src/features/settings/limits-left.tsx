import { useTranslation } from "react-i18next";
import type { LeftBody, Share } from "@/api/generated";
import { count, dollars, moment } from "@/lib/amounts";
import { LIMITS, type LimitName } from "@/features/settings/limits";

/** What is left of each limit, in words and as a line. */
export function LimitsLeft({ left }: { left: LeftBody }) {
  const { t } = useTranslation();
  return (
    <section>
      <h3 className="mb-2 text-sm font-medium">{t("settings.usage.left")}</h3>
      <dl className="divide-y divide-line border-y border-line">
        {LIMITS.map((name) => (
          <Left key={name} name={name} share={left[name]} />
        ))}
      </dl>
    </section>
  );
}

function Left({ name, share }: { name: LimitName; share: Share }) {
  const { t } = useTranslation();
  const shown = name === "budget_per_month" ? dollars : count;
  const { limit, left, renewed_at: renewedAt } = share;
  return (
    <div className="grid grid-cols-1 gap-x-6 py-2.5 text-sm sm:grid-cols-[10rem_1fr]">
      <dt className="text-muted">{t(`settings.usage.limit.${name}`)}</dt>
      <dd>
        {limit === null || left === null ? (
          t("settings.usage.unlimited")
        ) : (
          <>
            <p className="flex flex-wrap justify-between gap-x-4">
              <span>{t("settings.usage.leftOf", { left: shown(left), limit: shown(limit) })}</span>
              {renewedAt && <span className="text-muted">{t("settings.usage.renewed", { moment: moment(renewedAt) })}</span>}
            </p>
            <div aria-hidden className="mt-1.5 h-1.5 overflow-hidden rounded-full bg-hover">
              <div className="h-full rounded-full bg-accent" style={{ width: `${(left / limit) * 100}%` }} />
            </div>
          </>
        )}
      </dd>
    </div>
  );
}
