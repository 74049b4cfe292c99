/** Where a scrolled box stands, in pixels. */
export interface Place {
  offset: number;
  size: number;
  viewport: number;
}

export interface Follow {
  /** The end is kept in view while it grows. */
  following: boolean;
  /** Something new came to the end while one was reading above. */
  unseen: boolean;
}

const NEAR_PIXELS = 48; // two lines: who is so near the end wants to be there

/** Whether the end is in view. */
export function isAtEnd({ offset, size, viewport }: Place): boolean {
  return size - viewport - offset <= NEAR_PIXELS;
}

/**
 * The box stands elsewhere. Only its reader ends the following, by moving up: `byHand` says that wheel, finger or key did; else it
 * is one who moves it while its size stays. What shrinks, or a keyboard that comes up, moves it too and ends nothing.
 */
export function scrolled(follow: Follow, before: Place | null, now: Place, byHand: boolean): Follow {
  if (isAtEnd(now)) return follow.following && !follow.unseen ? follow : { following: true, unseen: false };
  const movedUp = before !== null && now.offset < before.offset && (byHand || now.size === before.size);
  return movedUp && follow.following ? { ...follow, following: false } : follow;
}

/** Something new is at the end. */
export function grew(follow: Follow): Follow {
  return follow.following || follow.unseen ? follow : { ...follow, unseen: true };
}
