import { queryOptions } from "@tanstack/react-query";
import { ApiError, askJson } from "@/api/client";
import { sessionOpened } from "@/api/connection";
import type { PasswordChange, SignIn, SignUp, UserBody, WayIn } from "@/api/generated";

/** Whether there are accounts, and who may make one. */
export const wayInQuery = queryOptions({
  queryKey: ["auth"],
  queryFn: ({ signal }) => askJson<WayIn>("/api/auth", { signal }),
  staleTime: Infinity,
});

/** Who is signed in; null: nobody. Ask only where there are accounts. */
export const meQuery = queryOptions({
  queryKey: ["me"],
  queryFn: async ({ signal }): Promise<UserBody | null> => {
    try {
      return opened(await askJson<UserBody>("/api/auth/me", { signal }));
    } catch (error) {
      if (error instanceof ApiError && error.code === "not_signed_in") return null;
      throw error;
    }
  },
});

/** @throws {ApiError} `wrong_password`, `too_many_attempts` */
export async function signIn(body: SignIn): Promise<UserBody> {
  return opened(await askJson<UserBody>("/api/auth/sign-in", { method: "POST", body }));
}

/** @throws {ApiError} `name_taken`, `invitation_needed`, `too_many_attempts` */
export async function signUp(body: SignUp): Promise<UserBody> {
  return opened(await askJson<UserBody>("/api/auth/sign-up", { method: "POST", body }));
}

export async function signOut(): Promise<void> {
  await askJson("/api/auth/sign-out", { method: "POST" });
}

/** Every other session of the account ends. @throws {ApiError} `wrong_password`, `too_many_attempts` */
export async function changePassword(body: PasswordChange): Promise<UserBody> {
  return askJson<UserBody>("/api/auth/password", { method: "POST", body });
}

/** Where a browser goes to sign in with the OpenID provider; it comes back to `next`. */
export function oidcAddress(next: string, more: { invitation?: string | undefined; takeOver?: boolean } = {}): string {
  const query = new URLSearchParams({ next });
  if (more.invitation) query.set("invitation", more.invitation);
  if (more.takeOver === false) query.set("take_over", "false");
  return `/api/auth/oidc/start?${query}`;
}

function opened(user: UserBody): UserBody {
  sessionOpened();
  return user;
}
