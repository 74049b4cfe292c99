import { clsx } from "clsx";
import type { ReactNode } from "react";

const TONES = {
  plain: "border-line bg-surface",
  warn: "border-transparent bg-warn-soft text-warn",
  danger: "border-transparent bg-danger-soft text-danger",
};

/** A sentence that a person should read, and what they can do about it. `alert` is read out at once. */
export function Notice({
  tone = "plain",
  alert = false,
  children,
  actions,
}: {
  tone?: keyof typeof TONES;
  alert?: boolean;
  children: ReactNode;
  actions?: ReactNode;
}) {
  return (
    <div role={alert ? "alert" : "note"} className={clsx("flex flex-wrap items-center gap-x-4 gap-y-2 rounded-xl border px-4 py-3 text-sm", TONES[tone])}>
      <div className="min-w-0 flex-1 basis-60">{children}</div>
      {actions && <div className="flex flex-wrap gap-2 text-ink">{actions}</div>}
    </div>
  );
}
