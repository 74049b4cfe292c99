import { LoaderCircle } from "lucide-react";

/** Something is being waited for, and `label` says what. It appears only after a moment, so that short waits do not blink. */
export function Spinner({ label }: { label: string }) {
  return (
    <p role="status" className="flex animate-[fade-in_200ms_300ms_both] items-center justify-center gap-2 p-6 text-sm text-muted">
      <LoaderCircle aria-hidden className="size-4 animate-spin" />
      {label}
    </p>
  );
}
