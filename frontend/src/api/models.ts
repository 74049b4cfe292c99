import { queryOptions } from "@tanstack/react-query";
import { askJson } from "@/api/client";
import type { ModelList } from "@/api/generated";
import { keys } from "@/api/query-keys";

/** The models that can be asked, in the service's order. */
export const modelsQuery = queryOptions({
  queryKey: keys.models,
  queryFn: async ({ signal }) => (await askJson<ModelList>("/api/models", { signal })).items,
  staleTime: 5 * 60_000, // an endpoint's list of models changes by the day
});
