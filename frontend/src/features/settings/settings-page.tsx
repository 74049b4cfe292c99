import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { clsx } from "clsx";
import { ChevronLeft, ChevronRight } from "lucide-react";
import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { meQuery, wayInQuery } from "@/api/accounts";
import { GeneralSection } from "@/features/settings/general-section";
import { sectionsFor, type Section } from "@/features/settings/sections";
import { useTitle } from "@/lib/title";
import { unreachable } from "@/lib/unreachable";
import { Notice } from "@/ui/notice";
import { Spinner } from "@/ui/spinner";

const AccountSection = lazy(() => import("@/features/settings/account-section"));
const KeysSection = lazy(() => import("@/features/settings/keys-section"));
const UsageSection = lazy(() => import("@/features/settings/usage-section"));
const DataSection = lazy(() => import("@/features/conversations/data-section"));
const PeopleSection = lazy(() => import("@/features/settings/people-section"));
const AboutSection = lazy(() => import("@/features/settings/about-section"));

/** How the page behaves and who one is. Where there is room, the sections stand beside the one that is open; elsewhere they come first. */
export default function SettingsPage() {
  const { t } = useTranslation();
  const { section: asked } = useParams({ strict: false });
  const { data: way } = useQuery(wayInQuery);
  const { data: me } = useQuery({ ...meQuery, enabled: way?.accounts === true });
  const sections = sectionsFor(way, me);
  const section = asked === undefined ? "general" : sections.find((one) => one === asked);
  useTitle(asked && section ? `${t(`settings.sections.${section}`)} · ${t("settings.title")}` : t("settings.title"));

  return (
    <div className="@container h-full overflow-y-auto">
      <div className="mx-auto grid max-w-4xl grid-cols-[minmax(0,1fr)] gap-x-10 gap-y-3 px-4 py-6 @3xl:grid-cols-[11rem_minmax(0,1fr)] @3xl:grid-rows-[auto_1fr] @3xl:px-8 @3xl:py-10">
        <h1 className={clsx("px-3 text-xl font-semibold tracking-tight", asked !== undefined && "@max-3xl:sr-only")}>
          {t("settings.title")}
        </h1>
        <nav aria-label={t("settings.title")} className={clsx(asked !== undefined && "@max-3xl:hidden")}>
          <ul className="flex flex-col gap-0.5">
            {sections.map((one) => (
              <li key={one}>
                <Link
                  to="/settings/$section"
                  params={{ section: one }}
                  aria-current={one === section ? "page" : undefined}
                  className={clsx(
                    "flex min-h-11 items-center justify-between rounded-lg px-3 text-muted hover:bg-hover hover:text-ink @3xl:min-h-9 @3xl:text-sm",
                    one === section && "@3xl:bg-hover @3xl:font-medium @3xl:text-ink",
                  )}
                >
                  {t(`settings.sections.${one}`)}
                  <ChevronRight aria-hidden className="size-4 @3xl:hidden" />
                </Link>
              </li>
            ))}
          </ul>
        </nav>
        <section className={clsx("@3xl:col-start-2 @3xl:row-span-2 @3xl:row-start-1", asked === undefined && "@max-3xl:hidden")}>
          <Link to="/settings" className="mb-2 -ml-1 inline-flex min-h-11 items-center gap-1 text-sm text-muted @3xl:hidden">
            <ChevronLeft aria-hidden className="size-4" />
            {t("settings.title")}
          </Link>
          {section ? (
            <Suspense fallback={<Spinner label={t("shell.loading")} />}>
              <h2 className="mb-5 text-xl font-semibold tracking-tight">{t(`settings.sections.${section}`)}</h2>
              <Content section={section} />
            </Suspense>
          ) : (
            <Notice>{t("shell.notFound")}</Notice>
          )}
        </section>
      </div>
    </div>
  );
}

function Content({ section }: { section: Section }) {
  switch (section) {
    case "general":
      return <GeneralSection />;
    case "account":
      return <AccountSection />;
    case "keys":
      return <KeysSection />;
    case "usage":
      return <UsageSection />;
    case "data":
      return <DataSection />;
    case "people":
      return <PeopleSection />;
    case "about":
      return <AboutSection />;
    default:
      return unreachable(section);
  }
}
