import { Brain } from "lucide-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Markdown } from "@/ui/markdown/markdown";

/** What a model thought before it spoke, folded. `open`: it is thinking. The time is known only to who watched it. */
export function Reasoning({ text, open }: { text: string; open: boolean }) {
  const { t } = useTranslation();
  const [unfolded, setUnfolded] = useState(false);
  const seconds = useSeconds(open);
  const time = seconds < 60 ? t("chat.seconds", { count: seconds }) : t("chat.minutes", { minutes: Math.floor(seconds / 60), seconds: seconds % 60 });
  return (
    <details className="text-muted" onToggle={(event) => setUnfolded(event.currentTarget.open)}>
      <summary className="-mx-2 inline-flex min-h-9 items-center gap-2 rounded-lg px-2 text-sm hover:bg-hover pointer-coarse:min-h-11">
        <Brain aria-hidden className="size-4 shrink-0" />
        {open ? t("chat.thinking") : seconds > 0 ? t("chat.thoughtFor", { time }) : t("chat.thought")}
        {open && seconds > 0 && <span className="tabular-nums">{time}</span>}
      </summary>
      {unfolded && (
        <div className="mt-1 mb-2 border-s-2 border-line ps-4 text-sm">
          <Markdown text={text} open={open} />
        </div>
      )}
    </details>
  );
}

/** Whole seconds for which `counting` has been true. */
function useSeconds(counting: boolean): number {
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    if (!counting) return undefined;
    const handle = setInterval(() => setSeconds((before) => before + 1), 1_000);
    return () => clearInterval(handle);
  }, [counting]);
  return seconds;
}
