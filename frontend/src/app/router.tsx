import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Outlet } from "@tanstack/react-router";
import { Shell } from "@/app/shell";
import { ChatPage } from "@/features/chat/chat-page";

const root = createRootRoute({ component: Outlet });

const shell = createRoute({ getParentRoute: () => root, id: "shell", component: Shell });

const newChat = createRoute({ getParentRoute: () => shell, path: "/", component: () => <ChatPage /> });

const conversation = createRoute({
  getParentRoute: () => shell,
  path: "/c/$conversationId",
  validateSearch: (search: Record<string, unknown>): { message?: string } =>
    typeof search["message"] === "string" ? { message: search["message"] } : {},
  component: function Conversation() {
    const { conversationId } = conversation.useParams();
    const { message } = conversation.useSearch();
    return <ChatPage key={conversationId} conversationId={conversationId} messageId={message} />;
  },
});

const settings = createRoute({
  getParentRoute: () => shell,
  path: "/settings/$section",
  component: lazyRouteComponent(() => import("@/features/settings/settings-page")),
});

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  validateSearch: nextAndInvitation,
  component: lazyRouteComponent(() => import("@/features/account/sign-in-page")),
});

const signUp = createRoute({
  getParentRoute: () => root,
  path: "/sign-up",
  validateSearch: nextAndInvitation,
  component: lazyRouteComponent(() => import("@/features/account/sign-up-page")),
});

/** `next`: a path of this page to go on to. Anything else is left out, so that no link can lead elsewhere. */
function nextAndInvitation(search: Record<string, unknown>): { next?: string; invitation?: string } {
  const { next, invitation } = search;
  return {
    ...(typeof next === "string" && /^\/(?![/\\])/.test(next) ? { next } : {}),
    ...(typeof invitation === "string" ? { invitation } : {}),
  };
}

export const router = createRouter({
  routeTree: root.addChildren([shell.addChildren([newChat, conversation, settings]), signIn, signUp]),
  scrollRestoration: false, // the list of messages keeps its own place
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
