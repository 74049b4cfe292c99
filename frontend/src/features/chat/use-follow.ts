import { useCallback, useEffect, useRef, useState } from "react";
import { grew, scrolled, type Follow, type Place } from "@/features/chat/follow";

const BY_HAND_MS = 300; // between a turn of the wheel and the scrolling that it causes

function placeOf(box: HTMLElement): Place {
  return { offset: box.scrollTop, size: box.scrollHeight, viewport: box.clientHeight };
}

/** Keeps the end of a scrolled box in view, until its reader scrolls up; see `follow.ts`. `atFirst`: from the beginning. */
export function useFollow(atFirst: boolean) {
  const box = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const [follow, setFollow] = useState<Follow>({ following: atFirst, unseen: false });
  const now = useRef(follow);
  const place = useRef<Place>(null);
  const handled = useRef(0);

  const change = useCallback((next: Follow): void => {
    now.current = next;
    setFollow(next);
  }, []);

  const pin = useCallback((): void => {
    if (!box.current) return;
    if (now.current.following) box.current.scrollTop = box.current.scrollHeight;
    place.current = placeOf(box.current);
  }, []);

  useEffect(() => {
    // What is drawn knows its new size only after it was laid out, and so does a box that a keyboard has made smaller.
    const observer = new ResizeObserver(pin);
    for (const { current } of [box, content]) if (current) observer.observe(current);
    return () => observer.disconnect();
  }, [pin]);

  return {
    ...follow,
    box,
    /** All that is scrolled. */
    content,
    /** The box was scrolled, by whomever. */
    onScroll: useCallback((): void => {
      if (!box.current) return;
      const next = placeOf(box.current);
      change(scrolled(now.current, place.current, next, performance.now() - handled.current < BY_HAND_MS));
      place.current = next;
    }, [change]),
    /** Wheel, finger, key or scroll bar is at work. */
    onHand: useCallback((): void => {
      handled.current = performance.now();
    }, []),
    /** Something may have changed its size. */
    pin,
    /** Something new came to the end. */
    mark: useCallback((): void => change(grew(now.current)), [change]),
    /** Go to the end, and stay there. */
    toEnd: useCallback((): void => {
      change({ following: true, unseen: false });
      pin();
    }, [change, pin]),
  };
}
