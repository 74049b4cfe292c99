import type { UseMutationResult } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { sentenceOf } from "@/api/sentence";
import { Button } from "@/ui/button";
import Dialog from "@/ui/dialog";
import { Notice } from "@/ui/notice";

/** Asks before something that cannot be undone; `deed` is done with `id`, and `onDone` is called once it is. */
export function ConfirmDialog({
  title,
  about,
  action,
  id,
  deed,
  onDone,
  onClose,
}: {
  title: string;
  about: string;
  action: string;
  id: string;
  deed: UseMutationResult<unknown, Error, string>;
  onDone: () => void;
  onClose: () => void;
}) {
  const { t } = useTranslation();
  return (
    <Dialog title={title} about={about} onClose={onClose}>
      <div className="flex flex-col gap-4 pt-3">
        {deed.isError && (
          <Notice tone="danger" alert>
            {sentenceOf(deed.error)}
          </Notice>
        )}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t("shell.cancel")}</Button>
          <Button kind="danger" disabled={deed.isPending} onClick={() => deed.mutate(id, { onSuccess: onDone })}>
            {action}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
