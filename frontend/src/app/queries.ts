import { QueryClient } from "@tanstack/react-query";
import { ApiError } from "@/api/client";

/** What the page knows of the service. One for the whole page. */
export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 60_000, // changes are told by the live list
      // Requests show whether the service is there; what the browser thinks of the network does not (it may run on this machine).
      networkMode: "always",
      // An answer of the service stands; only silence is asked again.
      retry: (times, error) => times < 3 && error instanceof ApiError && error.code === "unreachable",
    },
    mutations: { networkMode: "always" },
  },
});
