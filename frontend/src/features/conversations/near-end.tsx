import { useEffect, useRef } from "react";

/**
 * The end of a list that goes on: `onNear` is called when it is less than a screen away.
 * Give it a `key` that changes with each page, so that it looks again after a page that was short.
 */
export function NearEnd({ onNear }: { onNear: () => void }) {
  const reach = useRef<HTMLDivElement>(null);
  const call = useRef(onNear);
  useEffect(() => {
    call.current = onNear;
  });
  useEffect(() => {
    const watch = new IntersectionObserver(([entry]) => entry?.isIntersecting && call.current());
    if (reach.current) watch.observe(reach.current);
    return () => watch.disconnect();
  }, []);
  // It reaches up into the list, since the margins of an observer do not count in a box that scrolls.
  return (
    <div aria-hidden className="pointer-events-none relative">
      <div ref={reach} className="absolute bottom-0 h-[40rem] w-px" />
    </div>
  );
}
