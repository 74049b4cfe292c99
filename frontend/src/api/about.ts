import { queryOptions } from "@tanstack/react-query";
import { askJson } from "@/api/client";

/** The version of the service, which its OpenAPI document bears. */
export const versionQuery = queryOptions({
  queryKey: ["version"],
  queryFn: async ({ signal }) => {
    const { info } = await askJson<{ info: { version: string } }>("/openapi.json", { signal });
    return info.version;
  },
  staleTime: Infinity,
});
