import type { UserBody, WayIn } from "@/api/generated";

export const SECTIONS = ["general", "account", "keys", "usage", "data", "people", "about"] as const;
export type Section = (typeof SECTIONS)[number];

const OF_ACCOUNTS: ReadonlySet<Section> = new Set(["account", "keys"]);

/** What somebody may set: without accounts nothing that is about them, and people only as an administrator. */
export function sectionsFor(way: WayIn | undefined, me: UserBody | null | undefined): Section[] {
  return SECTIONS.filter((section) => {
    if (section === "people") return me?.role === "admin";
    return way?.accounts === true || !OF_ACCOUNTS.has(section);
  });
}
