import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { watchReach } from "@/api/reach";
import { followLeaving } from "@/features/account/leave";
import { startLanguage } from "@/lib/i18n";
import { followTheme } from "@/lib/preferences";
import { reportUnforeseen } from "@/app/foreseen";
import { queries } from "@/app/queries";
import { router } from "@/app/router";
import { startWorker } from "@/app/worker";
import { Toaster } from "@/ui/toast";
import "@/app/styles.css";

async function start(): Promise<void> {
  followTheme();
  await startLanguage();
  const root = document.getElementById("root");
  if (!root) throw new Error("index.html has no #root");
  createRoot(root, { onCaughtError: reportUnforeseen }).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
        <Toaster />
      </QueryClientProvider>
    </StrictMode>,
  );
  watchReach();
  followLeaving();
  await startWorker();
}

void start();
