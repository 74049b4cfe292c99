import { clsx } from "clsx";
import { useId, type ComponentProps, type ReactNode } from "react";

const INPUT =
  "w-full rounded-lg border border-edge bg-paper px-3 py-2 text-base placeholder:text-muted aria-invalid:border-danger disabled:opacity-60";

interface Described {
  label: string;
  /** What a person should know before filling it in. */
  hint?: ReactNode;
  /** What is wrong with what is there. */
  problem?: string | undefined;
}

function Frame({ id, label, hint, problem, children }: Described & { id: string; children: ReactNode }) {
  return (
    <div className="flex flex-col gap-1.5">
      <label htmlFor={id} className="text-sm font-medium">
        {label}
      </label>
      {children}
      {hint && (
        <p id={`${id}-hint`} className="text-sm text-muted">
          {hint}
        </p>
      )}
      {problem && (
        <p id={`${id}-problem`} role="alert" className="text-sm text-danger">
          {problem}
        </p>
      )}
    </div>
  );
}

function describedBy(id: string, { hint, problem }: Described): string | undefined {
  return clsx(hint && `${id}-hint`, problem && `${id}-problem`) || undefined;
}

/** One line of text, with its label, hint and problem tied to it. */
export function TextField({ label, hint, problem, className, ...more }: ComponentProps<"input"> & Described) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} problem={problem}>
      <input
        id={id}
        aria-invalid={problem !== undefined}
        aria-describedby={describedBy(id, { label, hint, problem })}
        className={clsx(INPUT, className)}
        {...more}
      />
    </Frame>
  );
}

/** Several lines of text. */
export function TextArea({ label, hint, problem, className, ...more }: ComponentProps<"textarea"> & Described) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} problem={problem}>
      <textarea
        id={id}
        aria-invalid={problem !== undefined}
        aria-describedby={describedBy(id, { label, hint, problem })}
        className={clsx(INPUT, "min-h-28 resize-y", className)}
        {...more}
      />
    </Frame>
  );
}

/** One of a few choices, all of them visible. */
export function Choice<T extends string>({
  label,
  value,
  options,
  onChange,
}: {
  label: string;
  value: T;
  options: readonly { value: T; label: string }[];
  onChange: (value: T) => void;
}) {
  const name = useId();
  return (
    <fieldset className="flex flex-col gap-1.5">
      <legend className="mb-1.5 text-sm font-medium">{label}</legend>
      <div className="flex flex-wrap gap-2">
        {options.map((option) => (
          <label
            key={option.value}
            className="flex min-h-9 cursor-pointer items-center gap-2 rounded-lg border border-line px-3 text-sm has-checked:border-accent has-checked:bg-accent-soft has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent pointer-coarse:min-h-11"
          >
            <input
              type="radio"
              className="accent-accent outline-none"
              name={name}
              value={option.value}
              checked={option.value === value}
              onChange={() => onChange(option.value)}
            />
            {option.label}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
