import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { startLanguage } from "@/lib/i18n";
import { followTheme } from "@/lib/preferences";
import { router } from "@/app/router";
import { ApiError } from "@/api/client";
import { Toaster } from "@/ui/toast";
import "@/app/styles.css";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 60_000, // changes are told by the live list
      // An answer of the service stands; only silence is asked again.
      retry: (times, error) => times < 3 && error instanceof ApiError && error.code === "unreachable",
    },
  },
});

async function start(): Promise<void> {
  followTheme();
  await startLanguage();
  const root = document.getElementById("root");
  if (!root) throw new Error("index.html has no #root");
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
        <Toaster />
      </QueryClientProvider>
    </StrictMode>,
  );
}

void start();
