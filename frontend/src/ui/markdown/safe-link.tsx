import { createContext, lazy, Suspense, use, useState, type MouseEvent, type ReactNode } from "react";

const LinkDialog = lazy(() => import("@/ui/markdown/link-dialog"));

const PROTOCOLS = new Set(["http:", "https:", "mailto:"]);

const AskBefore = createContext<(url: URL) => void>(() => {});

/** The address, as a browser reads it, if it may be opened; else null. Relative ones may not: they would lead into this page. */
export function openable(href: string | undefined): URL | null {
  const url = URL.parse(href ?? "");
  return url && PROTOCOLS.has(url.protocol) ? url : null;
}

/** Shows where a link within leads, until that is answered, also when the link is drawn anew meanwhile: a text may still grow. */
export function LinkGuard({ children }: { children: ReactNode }) {
  const [asked, setAsked] = useState<URL | null>(null);
  return (
    <AskBefore value={setAsked}>
      {children}
      {asked && (
        <Suspense>
          <LinkDialog url={asked} onClose={() => setAsked(null)} />
        </Suspense>
      )}
    </AskBefore>
  );
}

/** A link that a model wrote: where it leads is shown by the `LinkGuard` around it. What may not be opened is text. */
export function SafeLink({ href, children }: { href: string | undefined; children?: ReactNode }) {
  const askBefore = use(AskBefore);
  const url = openable(href);
  if (!url) return <>{children}</>;
  const ask = (event: MouseEvent): void => {
    if (event.type === "auxclick" && event.button !== 1) return;
    event.preventDefault();
    askBefore(url);
  };
  return (
    <a href={url.href} title={url.href} rel="noopener noreferrer nofollow" target="_blank" onClick={ask} onAuxClick={ask}>
      {children}
    </a>
  );
}
