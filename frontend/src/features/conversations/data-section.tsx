import { useQueryClient } from "@tanstack/react-query";
import { clsx } from "clsx";
import { Download, Upload } from "lucide-react";
import { useRef } from "react";
import { useTranslation } from "react-i18next";
import { keys } from "@/api/query-keys";
import { EXPORT_PATH } from "@/api/transfer";
import { ImportReport } from "@/features/conversations/import-report";
import { startImport, useImport } from "@/features/conversations/imports";
import { useFileDrop } from "@/features/conversations/use-file-drop";
import { Button, buttonClass } from "@/ui/button";

/** Take everything out, and take files in. */
export default function DataSection() {
  const { t } = useTranslation();
  return (
    <div className="flex flex-col gap-8">
      <section>
        <h3 className="font-medium">{t("conversations.exportTitle")}</h3>
        <p className="mt-1 mb-3 text-sm text-muted">{t("conversations.exportAbout")}</p>
        <a href={EXPORT_PATH} download className={clsx(buttonClass(), "[&>svg]:size-4")}>
          <Download aria-hidden />
          {t("conversations.exportAll")}
        </a>
      </section>
      <section>
        <h3 className="font-medium">{t("conversations.importTitle")}</h3>
        <p className="mt-1 mb-3 text-sm text-muted">{t("conversations.importAbout")}</p>
        <FileField />
        <ImportReport />
      </section>
    </div>
  );
}

function FileField() {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const busy = useImport(({ now }) => now.step === "sending" || now.step === "reading");
  const over = useFileDrop(take);
  const input = useRef<HTMLInputElement>(null);

  function take(file: File): void {
    // The live list tells of them one by one; many at once are better read anew.
    void startImport(file, () => void queries.invalidateQueries({ queryKey: keys.conversationLists }));
  }

  return (
    <div
      className={clsx(
        "flex flex-wrap items-center gap-x-3 gap-y-2 rounded-xl border border-dashed p-4",
        over && !busy ? "border-accent bg-accent-soft" : "border-edge",
      )}
    >
      <input
        ref={input}
        type="file"
        accept=".json,application/json"
        hidden
        data-testid="file"
        onChange={({ target }) => {
          const [file] = target.files ?? [];
          if (file) take(file);
          target.value = ""; // so that the same file can be chosen again
        }}
      />
      <Button className="[&>svg]:size-4" disabled={busy} onClick={() => input.current?.click()}>
        <Upload aria-hidden />
        {t("conversations.chooseFile")}
      </Button>
      <span className="text-sm text-muted pointer-coarse:hidden">
        {t(over && !busy ? "conversations.dropNow" : "conversations.dropFile")}
      </span>
    </div>
  );
}
