import { CloudOff } from "lucide-react";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { useConnection } from "@/api/connection";
import { queries } from "@/app/queries";
import { useOnline } from "@/lib/use-online";

/**
 * Says that the service is away, as long as it is; over the page, so that nothing moves.
 * The browser's word about the network only chooses the sentence: what counts is whether requests arrive.
 */
export function ConnectionNotice() {
  const { t } = useTranslation();
  const reached = useConnection((state) => state.reached);
  const online = useOnline();
  useEffect(() => {
    // What failed for want of a service is there again.
    if (reached) void queries.refetchQueries({ type: "active", predicate: ({ state }) => state.status === "error" });
  }, [reached]);
  return (
    <div role="status" className="pointer-events-none fixed inset-x-0 top-14 z-30 flex justify-center px-4 md:top-3">
      {!reached && (
        <p className="flex max-w-xl animate-[fade-in_200ms_500ms_both] items-center gap-2.5 rounded-xl bg-warn-soft px-4 py-2 text-sm text-warn shadow-float">
          <CloudOff aria-hidden className="size-4 shrink-0" />
          {online ? t("shell.unreachable") : t("shell.offline")}
        </p>
      )}
    </div>
  );
}
