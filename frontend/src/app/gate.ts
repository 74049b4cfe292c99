import type { QueryClient } from "@tanstack/react-query";
import { redirect } from "@tanstack/react-router";
import { meQuery, wayInQuery } from "@/api/accounts";
import type { UserBody, WayIn } from "@/api/generated";

export type Door = "page" | "sign-in" | "sign-up";

/** What somebody sees who comes to a page of conversations. */
export function doorOf(way: WayIn, me: UserBody | null): Door {
  if (!way.accounts || me) return "page";
  return way.sign_up === "first" ? "sign-up" : "sign-in";
}

interface Stranger {
  way: WayIn;
  me: UserBody | null;
}

async function whoComes(queries: QueryClient): Promise<Stranger> {
  const way = await queries.ensureQueryData(wayInQuery);
  return { way, me: way.accounts ? await queries.ensureQueryData(meQuery) : null };
}

/** Before a page of conversations: whoever may not see it is led to where one comes in, and from there back to `href`. */
export async function guardPage(queries: QueryClient, href: string): Promise<void> {
  const { way, me } = await whoComes(queries);
  const door = doorOf(way, me);
  if (door !== "page") throw redirect({ to: `/${door}`, search: href === "/" ? {} : { next: href }, replace: true });
}

/** Before the pages where one comes in: whoever is in goes on to `next`, and the very first one makes the account. */
export async function guardDoor(queries: QueryClient, here: Door, next: string | undefined): Promise<void> {
  const { way, me } = await whoComes(queries);
  const door = doorOf(way, me);
  if (door === "page") throw redirect({ href: next ?? "/", replace: true });
  if (door === "sign-up" && here === "sign-in") throw redirect({ to: "/sign-up", search: next ? { next } : {}, replace: true });
}
