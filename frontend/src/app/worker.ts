import i18next from "i18next";
import { showToast } from "@/ui/toast";

const LOOK_AGAIN = 60 * 60 * 1000; // ms; a page may stay open for days

/**
 * Install the worker that makes the page start without a network. It keeps the page's own files and nothing of anybody's.
 * A new version waits until a person takes it, so that nothing changes under their hands.
 */
export async function startWorker(): Promise<void> {
  const { registerSW } = await import("virtual:pwa-register").catch(() => ({ registerSW: null }));
  if (!registerSW) return; // the service is away: the next start installs it
  const update = registerSW({
    immediate: true,
    onNeedRefresh() {
      showToast({
        id: "version",
        text: i18next.t("shell.newVersion"),
        action: { label: i18next.t("shell.reload"), onAction: () => void update(true) },
      });
    },
    onRegisteredSW(_url, registration) {
      // Without a network it cannot look, and looks again later.
      if (registration) setInterval(() => void registration.update().catch(() => undefined), LOOK_AGAIN);
    },
  });
}
