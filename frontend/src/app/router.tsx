import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Outlet } from "@tanstack/react-router";
import { ConnectionNotice } from "@/app/connection-notice";
import { guardDoor, guardPage } from "@/app/gate";
import { FirstPending, NotFound, RouteError, RoutePending } from "@/app/route-states";
import { queries } from "@/app/queries";
import { Shell } from "@/app/shell";
import { useConversationTitle } from "@/app/use-conversation-title";
import { ChatPage } from "@/features/chat/chat-page";
import { ownPath } from "@/lib/own-path";
import { useTitle } from "@/lib/title";

const root = createRootRoute({
  component: () => (
    <div className="flex h-full flex-col">
      <ConnectionNotice />
      <div className="min-h-0 flex-1">
        <Outlet />
      </div>
    </div>
  ),
});

const shell = createRoute({
  getParentRoute: () => root,
  id: "shell",
  component: Shell,
  errorComponent: (props) => (
    <main className="h-full">
      <RouteError {...props} />
    </main>
  ),
  pendingComponent: FirstPending,
  beforeLoad: ({ location }) => guardPage(queries, location.href),
});

const newChat = createRoute({ getParentRoute: () => shell, path: "/", component: NewChat });

const conversation = createRoute({
  getParentRoute: () => shell,
  path: "/c/$conversationId",
  validateSearch: ({ message }: Record<string, unknown>): { message?: string | undefined } => ({
    message: typeof message === "string" ? message : undefined,
  }),
  component: function Conversation() {
    const { conversationId } = conversation.useParams();
    const { message } = conversation.useSearch();
    useTitle(useConversationTitle(conversationId));
    return <ChatPage key={conversationId} conversationId={conversationId} messageId={message} />;
  },
});

const settingsPage = lazyRouteComponent(() => import("@/features/settings/settings-page"));

const settings = createRoute({ getParentRoute: () => shell, path: "/settings", component: settingsPage });

const settingsSection = createRoute({ getParentRoute: () => shell, path: "/settings/$section", component: settingsPage });

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  validateSearch: nextAndInvitation,
  beforeLoad: ({ search }) => guardDoor(queries, "sign-in", search.next),
  component: lazyRouteComponent(() => import("@/features/account/sign-in-page")),
});

const signUp = createRoute({
  getParentRoute: () => root,
  path: "/sign-up",
  validateSearch: nextAndInvitation,
  beforeLoad: ({ search }) => guardDoor(queries, "sign-up", search.next),
  component: lazyRouteComponent(() => import("@/features/account/sign-up-page")),
});

function NewChat() {
  useTitle();
  return <ChatPage />;
}

/**
 * `next`: a place of this page to go on to, and nothing else, so that no link can lead elsewhere.
 * What is refused is said to be undefined: the router would keep what is only left out.
 */
function nextAndInvitation({ next, invitation }: Record<string, unknown>): { next?: string | undefined; invitation?: string | undefined } {
  return { next: ownPath(next), invitation: typeof invitation === "string" ? invitation : undefined };
}

export const router = createRouter({
  routeTree: root.addChildren([shell.addChildren([newChat, conversation, settings, settingsSection]), signIn, signUp]),
  scrollRestoration: false, // the list of messages keeps its own place
  defaultErrorComponent: RouteError,
  defaultNotFoundComponent: NotFound,
  defaultPendingComponent: RoutePending,
  defaultPendingMs: 300,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
