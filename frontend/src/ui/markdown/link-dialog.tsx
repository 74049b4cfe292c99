import { useTranslation } from "react-i18next";
import { Button, buttonClass } from "@/ui/button";
import Dialog from "@/ui/dialog";

/** Where a link leads, and whether to go there. */
export default function LinkDialog({ url, onClose }: { url: URL; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Dialog title={t("chat.openLink")} about={t("chat.openLinkAbout")} onClose={onClose}>
      <p className="rounded-lg border border-line bg-surface px-3 py-2 font-mono text-sm break-all">
        {url.host ? <AddressWithHost url={url} /> : url.href}
      </p>
      <div className="mt-4 flex flex-wrap justify-end gap-2">
        <Button onClick={onClose}>{t("shell.cancel")}</Button>
        <a className={buttonClass("primary")} href={url.href} rel="noopener noreferrer nofollow" target="_blank" onClick={onClose}>
          {t("chat.open")}
        </a>
      </div>
    </Dialog>
  );
}

/** The host stands out: it is what decides whom one visits, and what a crafted address hides. */
function AddressWithHost({ url }: { url: URL }) {
  const { href, host } = url;
  const at = href.indexOf(host, href.indexOf("@") > 0 && url.username ? href.indexOf("@") : 0);
  return (
    <>
      <span className="text-muted">{href.slice(0, at)}</span>
      <strong>{host}</strong>
      <span className="text-muted">{href.slice(at + host.length)}</span>
    </>
  );
}
