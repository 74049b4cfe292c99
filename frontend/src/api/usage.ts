import { pagesQuery } from "@/api/pages";
import type { AppUsageBodiesUsageBody as UsageBody, UsageOfUsers } from "@/api/generated";

/** What the asker spent in the last `days`, by day and model, and what is left of each limit. */
export function usageQuery(days: number) {
  return pagesQuery<UsageBody>(["usage", { days }], "/api/usage", { days: String(days) });
}

/** What everybody spent, for administrators. */
export function everyonesUsageQuery(days: number) {
  return pagesQuery<UsageOfUsers>(["usage", "everyone", { days }], "/api/admin/usage", { days: String(days) });
}
