import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { meQuery } from "@/api/accounts";
import { usersQuery } from "@/api/admin";
import type { UsageOfDay, UsageOfUserAndDay } from "@/api/generated";
import { everyonesUsageQuery, usageQuery } from "@/api/usage";
import { LimitsLeft } from "@/features/settings/limits-left";
import { Loaded } from "@/features/settings/loaded";
import { UsageBars } from "@/features/settings/usage-bars";
import { UsageTable } from "@/features/settings/usage-table";
import { Button } from "@/ui/button";
import { Choice } from "@/ui/field";

const PERIODS = ["7", "30", "90"] as const; // days
type Period = (typeof PERIODS)[number];

/** What was asked, read and written, and what is left. Administrators see everybody's, too. */
export default function UsageSection() {
  const { t } = useTranslation();
  const me = useQuery({ ...meQuery, enabled: false }).data;
  const [period, setPeriod] = useState<Period>("30");
  const [whose, setWhose] = useState<"mine" | "everyone">("mine");
  return (
    <div className="flex flex-col gap-7">
      <div className="flex flex-wrap gap-x-8 gap-y-4">
        <Choice
          label={t("settings.usage.days")}
          value={period}
          options={PERIODS.map((days) => ({ value: days, label: t("settings.usage.lastDays", { days }) }))}
          onChange={setPeriod}
        />
        {me?.role === "admin" && (
          <Choice
            label={t("settings.usage.whose")}
            value={whose}
            options={[
              { value: "mine", label: t("settings.usage.mine") },
              { value: "everyone", label: t("settings.usage.everyone") },
            ]}
            onChange={setWhose}
          />
        )}
      </div>
      {whose === "mine" ? <Mine days={Number(period)} /> : <Everyones days={Number(period)} />}
    </div>
  );
}

function Mine({ days }: { days: number }) {
  const usage = useInfiniteQuery(usageQuery(days));
  return (
    <Loaded query={usage}>
      {({ pages }) => (
        <>
          <Spent days={days} items={pages.flatMap((page) => page.items)} usage={usage} />
          {pages[0] && <LimitsLeft left={pages[0].left} />}
        </>
      )}
    </Loaded>
  );
}

function Everyones({ days }: { days: number }) {
  const usage = useInfiniteQuery(everyonesUsageQuery(days));
  const users = useInfiniteQuery(usersQuery);
  const names = new Map(users.data?.pages.flatMap((page) => page.items).map((user) => [user.id, user.name]));
  return (
    <Loaded query={usage}>
      {({ pages }) => <Spent days={days} items={pages.flatMap((page) => page.items)} usage={usage} names={names} />}
    </Loaded>
  );
}

interface SpentProps {
  days: number;
  items: readonly (UsageOfDay | UsageOfUserAndDay)[];
  usage: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => Promise<unknown> };
  names?: ReadonlyMap<string, string>;
}

function Spent({ days, items, usage, names }: SpentProps) {
  const { t } = useTranslation();
  if (items.length === 0) return <p className="text-muted">{t("settings.usage.none")}</p>;
  return (
    <div className="flex flex-col gap-6">
      <UsageBars days={days} items={items} />
      <UsageTable items={items} names={names} />
      {usage.hasNextPage && (
        <div>
          <Button disabled={usage.isFetchingNextPage} onClick={() => void usage.fetchNextPage()}>
            {t("settings.more")}
          </Button>
        </div>
      )}
      <div className="flex flex-col gap-1 text-sm text-muted">
        <p>{t("settings.usage.dayHint")}</p>
        {items.some((item) => !item.priced) && <p>{t("settings.usage.unpriced")}</p>}
        {items.some((item) => item.estimated) && <p>{t("settings.usage.estimated")}</p>}
      </div>
    </div>
  );
}
