/** A message, as far as its place in a branch goes. */
interface Placed {
  readonly id: string;
  readonly parent_id: string | null;
}

/** A page of a branch, or several that were joined: oldest message first. */
export interface Branch<M extends Placed> {
  readonly items: readonly M[];
  /** `before` of the page above; null where the branch begins. */
  readonly next: string | null;
}

/**
 * A branch whose end was read again, as `page`.
 *
 * What is above the page stays where the page goes on from it. Where it does not (another branch is shown, or more
 * was added than a page holds), what is above is to be read again: never a hole. Messages that say the same keep
 * their identity.
 */
export function joinEnd<M extends Placed>(known: Branch<M> | undefined, page: Branch<M>): Branch<M> {
  if (!known) return page;
  const before = new Map(known.items.map((item) => [item.id, item]));
  const items = page.items.map((item) => kept(before.get(item.id), item));
  const above = aboveOf(known, page.items[0]);
  return above ? { items: [...above, ...items], next: known.next } : { ...page, items };
}

/** A branch, with the page above it. One that does not end where it begins was read of another branch, and is left out. */
export function joinAbove<M extends Placed>(known: Branch<M>, page: Branch<M>): Branch<M> {
  const parent = known.items[0]?.parent_id;
  if (parent === undefined || page.items.at(-1)?.id !== parent) return known;
  return { items: [...page.items, ...known.items], next: page.next };
}

/** What of `known` stays above a page that begins with `first`. */
function aboveOf<M extends Placed>(known: Branch<M>, first: M | undefined): readonly M[] | null {
  if (!first) return null;
  const at = known.items.findIndex((item) => item.id === first.id);
  if (at >= 0) return known.items.slice(0, at);
  const parent = known.items.findIndex((item) => item.id === first.parent_id);
  return parent >= 0 ? known.items.slice(0, parent + 1) : null;
}

function kept<M>(before: M | undefined, now: M): M {
  return before !== undefined && JSON.stringify(before) === JSON.stringify(now) ? before : now;
}
