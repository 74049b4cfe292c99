import { CloudOff } from "lucide-react";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { useConnection } from "@/api/connection";
import { queries } from "@/app/queries";
import { useOnline } from "@/lib/use-online";

/**
 * Says that the service is away, as long as it is; above the page, which gives way, so that it covers nothing.
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
    <div role="status" className="shrink-0 bg-warn-soft text-sm text-warn">
      {!reached && (
        // It comes after a moment, so that a short outage moves nothing.
        <div className="max-h-40 animate-[unfold_200ms_500ms_both] overflow-hidden">
          <p className="mx-auto flex w-fit max-w-3xl items-center gap-2.5 px-4 pt-[max(0.5rem,env(safe-area-inset-top))] pb-2">
            <CloudOff aria-hidden className="size-4 shrink-0" />
            {online ? t("shell.unreachable") : t("shell.offline")}
          </p>
        </div>
      )}
    </div>
  );
}
