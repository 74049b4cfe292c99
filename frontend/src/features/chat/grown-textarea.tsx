import { clsx } from "clsx";
import { useLayoutEffect, useRef, type ComponentProps, type RefObject } from "react";

const grows = typeof CSS !== "undefined" && CSS.supports("field-sizing", "content");

/** A text box as high as its text, up to the `max-h-*` of its class. */
export function GrownTextarea({
  box,
  className,
  ...more
}: ComponentProps<"textarea"> & { box?: RefObject<HTMLTextAreaElement | null> }) {
  const own = useRef<HTMLTextAreaElement>(null);
  const ref = box ?? own;
  useLayoutEffect(() => {
    if (grows || !ref.current) return;
    ref.current.style.height = "auto";
    ref.current.style.height = `${ref.current.scrollHeight}px`;
  });
  return <textarea ref={ref} rows={1} className={clsx("field-sizing-content resize-none overflow-y-auto", className)} {...more} />;
}
