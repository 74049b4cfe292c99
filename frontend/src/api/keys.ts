import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { askJson } from "@/api/client";
import type { KeyList, MadeKey, NewKey } from "@/api/generated";

/** The API keys of whoever is signed in, newest first. */
export const keysQuery = queryOptions({
  queryKey: ["keys"],
  queryFn: ({ signal }) => askJson<KeyList>("/api/keys", { signal }),
});

/** Make a key. What it opens is in the answer, once; nothing keeps it. */
export function useCreateKey() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (body: NewKey) => askJson<MadeKey>("/api/keys", { method: "POST", body }),
    onSuccess: () => queries.invalidateQueries(keysQuery),
    gcTime: 0,
  });
}

/** Revoke a key: it opens nothing from then on. */
export function useRevokeKey() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => askJson(`/api/keys/${id}`, { method: "DELETE" }),
    onSettled: () => queries.invalidateQueries(keysQuery),
  });
}
