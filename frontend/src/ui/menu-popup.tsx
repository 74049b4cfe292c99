import { Menu as Base } from "@base-ui/react/menu";
import { clsx } from "clsx";
import { Check } from "lucide-react";
import { useEffect, useRef } from "react";
import { buttonClass } from "@/ui/button";
import type { MenuProps } from "@/ui/menu";

/** The menu itself, with base-ui behind it; see `ui/menu.tsx`, which loads it. */
export default function MenuPopup({ label, icon, items, className, align, pressed }: MenuProps & { pressed: "by key" | "by pointer" }) {
  const trigger = useRef<HTMLButtonElement>(null);
  const isOpened = useRef(pressed === "by pointer");
  useEffect(() => {
    // Pressed by a key, the first item has the focus; base-ui gives it only when its own button is pressed.
    if (!isOpened.current) trigger.current?.click();
    isOpened.current = true;
  }, []);
  return (
    <Base.Root defaultOpen={pressed === "by pointer"} modal={false}>
      <Base.Trigger ref={trigger} aria-label={label} title={label} className={clsx(buttonClass("quiet"), "px-2 [&>svg]:size-4.5", className)}>
        {icon}
      </Base.Trigger>
      <Base.Portal>
        <Base.Positioner align={align ?? "end"} sideOffset={4} collisionPadding={8} className="z-50 outline-none">
          <Base.Popup className="max-h-(--available-height) min-w-44 max-w-80 overflow-y-auto rounded-xl border border-line bg-raised p-1 shadow-float outline-none transition-opacity data-starting-style:opacity-0">
            {items.map((item) => (
                <Base.Item
                  key={item.id}
                  {...(item.checked !== undefined && { role: "menuitemradio", "aria-checked": item.checked })}
                  disabled={item.disabled ?? false}
                  onClick={item.onSelect}
                  className={clsx(
                    "flex min-h-9 cursor-pointer items-center gap-2.5 rounded-lg px-2.5 py-1.5 text-sm outline-none select-none data-highlighted:bg-hover data-disabled:cursor-default data-disabled:opacity-50 pointer-coarse:min-h-11 [&>svg]:size-4 [&>svg]:shrink-0",
                    item.danger && "text-danger",
                  )}
                >
                  {item.icon}
                  <span className="min-w-0 flex-1">
                    <span className="block">{item.label}</span>
                    {item.about && <span className="block text-xs text-muted">{item.about}</span>}
                  </span>
                  {item.checked && <Check aria-hidden />}
                </Base.Item>
            ))}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}
