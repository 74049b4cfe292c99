// Where the service answers itself: no pages of ours.
const FOREIGN = /^\/(?:api|v1|auth)(?:\/|$)/;

/**
 * `value` if it is a place on this page, as path, query and fragment; else undefined.
 *
 * Read as browsers read it, so that no link to this page can lead anywhere else (`//evil.test`, `/\evil.test`, `/<tab>/evil.test`).
 */
export function ownPath(value: unknown): string | undefined {
  if (typeof value !== "string" || !value.startsWith("/")) return undefined;
  if (!URL.canParse(value, location.origin)) return undefined;
  const { origin, pathname, search, hash } = new URL(value, location.origin);
  // `/.//evil.test` is ours until somebody reads the path alone.
  if (origin !== location.origin || pathname.startsWith("//") || FOREIGN.test(pathname)) return undefined;
  return pathname + search + hash;
}
