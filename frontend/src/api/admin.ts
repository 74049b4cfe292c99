import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { askJson } from "@/api/client";
import { pagesQuery } from "@/api/pages";
import type { DeedList, InvitationList, MadeInvitation, NewInvitation, UserBody, UserChange, UserList } from "@/api/generated";

/** Everyone, newest first. */
export const usersQuery = pagesQuery<UserList>(["admin", "users"], "/api/admin/users");

/** What was done, newest first. */
export const auditQuery = pagesQuery<DeedList>(["admin", "audit"], "/api/admin/audit");

/** Invitations that are still good. */
export const invitationsQuery = queryOptions({
  queryKey: ["admin", "invitations"],
  queryFn: ({ signal }) => askJson<InvitationList>("/api/admin/invitations", { signal }),
});

/** Change a user's role, suspension or limits. */
export function useChangeUser() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ id, change }: { id: string; change: UserChange }) =>
      askJson<UserBody>(`/api/admin/users/${id}`, { method: "PATCH", body: change }),
    onSettled: () => queries.invalidateQueries({ queryKey: ["admin"] }),
  });
}

/** Make an invitation. What it opens is in the answer, once; nothing keeps it. */
export function useInvite() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (body: NewInvitation) => askJson<MadeInvitation>("/api/admin/invitations", { method: "POST", body }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["admin"] }),
    gcTime: 0,
  });
}

/** Take an invitation away again. */
export function useRevokeInvitation() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => askJson(`/api/admin/invitations/${id}`, { method: "DELETE" }),
    onSettled: () => queries.invalidateQueries({ queryKey: ["admin"] }),
  });
}
