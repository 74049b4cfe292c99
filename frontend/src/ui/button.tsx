import { clsx } from "clsx";
import type { ComponentProps } from "react";

export type ButtonKind = "primary" | "plain" | "quiet" | "danger";

const KINDS: Record<ButtonKind, string> = {
  primary: "bg-accent text-on-accent hover:bg-accent-hover",
  plain: "border border-line bg-raised hover:bg-hover",
  quiet: "text-muted hover:bg-hover hover:text-ink",
  danger: "border border-line bg-raised text-danger hover:bg-danger-soft",
};

/** The class of everything that looks like a button, links too. Targets are at least 36 px, 44 px where fingers point. */
export function buttonClass(kind: ButtonKind = "plain"): string {
  return clsx(
    "inline-flex min-h-9 items-center justify-center gap-2 rounded-lg px-3 text-sm font-medium transition-colors pointer-coarse:min-h-11",
    "disabled:cursor-not-allowed disabled:opacity-50 aria-disabled:cursor-not-allowed aria-disabled:opacity-50",
    KINDS[kind],
  );
}

/** A button with words. */
export function Button({ kind = "plain", className, ...more }: ComponentProps<"button"> & { kind?: ButtonKind }) {
  return <button type="button" className={clsx(buttonClass(kind), className)} {...more} />;
}

/** A button with an icon only. `label` is its name, for screen readers and as a tooltip. */
export function IconButton({
  label,
  kind = "quiet",
  className,
  ...more
}: ComponentProps<"button"> & { label: string; kind?: ButtonKind }) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className={clsx(buttonClass(kind), "aspect-square px-0 [&>svg]:size-4.5", className)}
      {...more}
    />
  );
}
