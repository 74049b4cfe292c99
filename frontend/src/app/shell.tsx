import { Outlet } from "@tanstack/react-router";
import { Sidebar } from "@/features/conversations/sidebar";

/** The list of conversations, and beside it what is open. */
export function Shell() {
  return (
    <div className="flex h-full">
      <Sidebar />
      <main className="min-w-0 flex-1">
        <Outlet />
      </main>
    </div>
  );
}
