import { lazy, Suspense, useState, type MouseEvent, type ReactNode } from "react";

const LinkDialog = lazy(() => import("@/ui/markdown/link-dialog"));

const PROTOCOLS = new Set(["http:", "https:", "mailto:"]);

/** The address, as a browser reads it, if it may be opened; else null. Relative ones may not: they would lead into this page. */
export function openable(href: string | undefined): URL | null {
  const url = URL.parse(href ?? "");
  return url && PROTOCOLS.has(url.protocol) ? url : null;
}

/** A link that a model wrote: where it leads is shown before it is opened. What may not be opened is text. */
export function SafeLink({ href, children }: { href: string | undefined; children?: ReactNode }) {
  const [asked, setAsked] = useState(false);
  const url = openable(href);
  if (!url) return <>{children}</>;
  const ask = (event: MouseEvent): void => {
    if (event.type === "auxclick" && event.button !== 1) return;
    event.preventDefault();
    setAsked(true);
  };
  return (
    <>
      <a href={url.href} title={url.href} rel="noopener noreferrer nofollow" target="_blank" onClick={ask} onAuxClick={ask}>
        {children}
      </a>
      {asked && (
        <Suspense>
          <LinkDialog url={url} onClose={() => setAsked(false)} />
        </Suspense>
      )}
    </>
  );
}
