import { useTranslation } from "react-i18next";
import type { UsageOfDay, UsageOfUserAndDay } from "@/api/generated";
import { count, dayOfUtc, dollars } from "@/lib/amounts";

interface UsageTableProps {
  items: readonly (UsageOfDay | UsageOfUserAndDay)[];
  /** The names of users by id; with it, whose each row is. */
  names?: ReadonlyMap<string, string> | undefined;
}

const NUMBER = "py-2 pl-4 text-right tabular-nums whitespace-nowrap";

/** What was spent, by day and model, with the sum of what is shown. */
export function UsageTable({ items, names }: UsageTableProps) {
  const { t } = useTranslation();
  const sum = (value: (item: UsageOfDay) => number) => items.reduce((total, item) => total + value(item), 0);
  return (
    // Scrolls sideways on a phone; with the keyboard, too.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div role="region" aria-label={t("settings.usage.table")} tabIndex={0} className="scroll-shadows overflow-x-auto">
      <table className="w-full text-sm">
        <caption className="pb-2 text-left font-medium">{t("settings.usage.table")}</caption>
        <thead className="border-b border-line text-muted">
          <tr>
            <th scope="col" className="py-2 pr-4 text-left font-normal">{t("settings.usage.day")}</th>
            {names && <th scope="col" className="py-2 pr-4 text-left font-normal">{t("settings.usage.user")}</th>}
            <th scope="col" className="py-2 text-left font-normal">{t("settings.usage.model")}</th>
            <th scope="col" className={`${NUMBER} font-normal`}>{t("settings.usage.requests")}</th>
            <th scope="col" className={`${NUMBER} font-normal`}>{t("settings.usage.input")}</th>
            <th scope="col" className={`${NUMBER} font-normal`}>{t("settings.usage.output")}</th>
            <th scope="col" className={`${NUMBER} font-normal`}>{t("settings.usage.cost")}</th>
          </tr>
        </thead>
        <tbody className="divide-y divide-line">
          {items.map((item) => (
            <tr key={`${item.day} ${item.model} ${"user_id" in item ? item.user_id : ""}`}>
              <td className="py-2 pr-4 whitespace-nowrap">{dayOfUtc(item.day)}</td>
              {names && <td className="py-2 pr-4">{"user_id" in item ? (names.get(item.user_id) ?? item.user_id.slice(-6)) : ""}</td>}
              <td className="min-w-32 py-2">{item.model}</td>
              <td className={NUMBER}>{count(item.requests)}</td>
              <td className={NUMBER}>{count(item.input_tokens)}</td>
              <td className={NUMBER}>{count(item.output_tokens)}</td>
              <td className={NUMBER}>{item.priced ? dollars(item.cost) : "–"}</td>
            </tr>
          ))}
        </tbody>
        <tfoot className="border-t border-edge font-medium">
          <tr>
            <th scope="row" colSpan={names ? 3 : 2} className="py-2 text-left font-medium">{t("settings.usage.total")}</th>
            <td className={NUMBER}>{count(sum((item) => item.requests))}</td>
            <td className={NUMBER}>{count(sum((item) => item.input_tokens))}</td>
            <td className={NUMBER}>{count(sum((item) => item.output_tokens))}</td>
            <td className={NUMBER}>{dollars(sum((item) => item.cost))}</td>
          </tr>
        </tfoot>
      </table>
    </div>
  );
}
