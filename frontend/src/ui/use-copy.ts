import { useEffect, useState } from "react";

const SHOWN_MS = 2_000; // that it was copied

/** Puts text on the clipboard, also where a page served over plain HTTP has no clipboard of its own. */
export function useCopy(text: string): { copied: boolean; copy: () => void } {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return undefined;
    const handle = setTimeout(() => setCopied(false), SHOWN_MS);
    return () => clearTimeout(handle);
  }, [copied]);
  return {
    copied,
    copy: () => void write(text).then(setCopied),
  };
}

/** Whether it worked. */
async function write(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return writeBySelection(text);
  }
}

function writeBySelection(text: string): boolean {
  const focused = document.activeElement;
  const box = document.createElement("textarea");
  box.value = text;
  box.className = "sr-only";
  (document.querySelector("[role=dialog]") ?? document.body).append(box);
  box.select();
  // Old, and the only way there is without a secure context.
  const done = document.execCommand("copy");
  box.remove();
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  return done;
}
