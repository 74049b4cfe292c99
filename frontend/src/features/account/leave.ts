import { forgetPerson } from "@/lib/storage";

const CHANNEL = "session";
const LEFT = "left";

/** Start the page anew at `path` with nothing of whoever was here: not in memory, not in the browser's storage. */
export function leaveAs(path: string): void {
  forgetPerson();
  location.replace(path);
}

/** After signing out: the same, and the other tabs leave, too. */
export function leave(): void {
  const channel = new BroadcastChannel(CHANNEL);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel has one origin only
  channel.postMessage(LEFT);
  channel.close();
  leaveAs("/sign-in");
}

/** Leave when another tab signs out. Returns what ends it. */
export function followLeaving(): () => void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.addEventListener("message", ({ data }) => {
    if (data === LEFT) leaveAs("/sign-in");
  });
  return () => channel.close();
}
