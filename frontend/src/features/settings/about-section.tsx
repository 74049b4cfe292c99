import { useQuery } from "@tanstack/react-query";
import { ExternalLink } from "lucide-react";
import { useTranslation } from "react-i18next";
import { versionQuery } from "@/api/about";

/** What this is, which version of it, and where its API is told. */
export default function AboutSection() {
  const { t } = useTranslation();
  const { data: version } = useQuery(versionQuery);
  const links = [
    { href: "/docs", label: t("settings.about.api"), about: t("settings.about.apiHint") },
    { href: "/redoc", label: t("settings.about.redoc") },
    { href: "/openapi.json", label: t("settings.about.openapi") },
  ];
  return (
    <div className="flex flex-col gap-6">
      <div>
        <p className="text-lg font-medium">{t("shell.name")}</p>
        {version && (
          <p className="text-sm text-muted">
            {t("settings.about.version")} {version}
          </p>
        )}
        <p className="mt-3 max-w-prose">{t("settings.about.text")}</p>
      </div>
      <ul className="flex flex-col gap-3">
        {links.map(({ href, label, about }) => (
          <li key={href}>
            <a href={href} target="_blank" rel="noopener" className="inline-flex items-center gap-1.5 underline decoration-edge underline-offset-4">
              {label}
              <ExternalLink aria-hidden className="size-3.5" />
            </a>
            {about && <p className="text-sm text-muted">{about}</p>}
          </li>
        ))}
      </ul>
    </div>
  );
}
