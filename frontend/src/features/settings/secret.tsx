import { Check, Copy } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { IconButton } from "@/ui/button";
import { showToast } from "@/ui/toast";

/** Something that is shown only now, to be copied. It can be selected, too: over plain HTTP browsers give no clipboard. */
export function Secret({ label, text }: { label: string; text: string }) {
  const { t } = useTranslation();
  const [copied, setCopied] = useState(false);

  async function copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
    } catch {
      showToast({ id: "copy", text: t("shell.copyFailed"), tone: "danger" });
    }
  }

  return (
    <div className="flex items-center gap-2">
      <input
        readOnly
        aria-label={label}
        value={text}
        className="min-w-0 flex-1 rounded-lg border border-edge bg-paper px-3 py-2 font-mono text-sm"
        onFocus={(event) => event.target.select()}
      />
      <IconButton label={copied ? t("shell.copied") : t("shell.copy")} kind="plain" onClick={() => void copy()}>
        {copied ? <Check aria-hidden /> : <Copy aria-hidden />}
      </IconButton>
      <span role="status" className="sr-only">
        {copied && t("shell.copied")}
      </span>
    </div>
  );
}
