import { clsx } from "clsx";
import { lazy, Suspense, useState, type ReactNode } from "react";
import { buttonClass } from "@/ui/button";

export interface MenuItem {
  id: string;
  label: string;
  /** A second, smaller line. */
  about?: string;
  icon?: ReactNode;
  /** Marked as the one that is chosen, or as one that could be. */
  checked?: boolean;
  danger?: boolean;
  disabled?: boolean;
  onSelect: () => void;
}

export interface MenuProps {
  /** The name of the button that opens it. */
  label: string;
  /** What the button shows. */
  icon: ReactNode;
  items: readonly MenuItem[];
  className?: string;
  align?: "start" | "end";
}

const loadPopup = () => import("@/ui/menu-popup");
const MenuPopup = lazy(loadPopup);

/** A button that opens a menu. What draws the menu is loaded when the button is first pointed at, focused or pressed. */
export function Menu(props: MenuProps) {
  const [pressed, setPressed] = useState<"by key" | "by pointer">();
  const button = (
    <button
      type="button"
      aria-haspopup="menu"
      aria-label={props.label}
      title={props.label}
      className={clsx(buttonClass("quiet"), "px-2 [&>svg]:size-4.5", props.className)}
      onPointerEnter={loadPopup}
      onFocus={loadPopup}
      onClick={({ detail }) => setPressed(detail === 0 ? "by key" : "by pointer")}
    >
      {props.icon}
    </button>
  );
  if (!pressed) return button;
  return (
    <Suspense fallback={button}>
      <MenuPopup {...props} pressed={pressed} />
    </Suspense>
  );
}
