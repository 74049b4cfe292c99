import { act, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { setReached, useConnection } from "@/api/connection";
import type { Link } from "@/api/runs";
import { Waiting } from "@/features/chat/waiting";
import { emptyTranscript } from "@/transcript/transcript";

const OFFLINE = "You are offline. The answer goes on, and appears here once you are back.";
const RECONNECTING = "The connection broke. Reconnecting; nothing is lost.";
const TRANSCRIPT = { ...emptyTranscript("r1"), parts: [{ kind: "text", text: "half" } as const] };

beforeEach(() => useConnection.setState({ reached: true }));
afterEach(() => void vi.restoreAllMocks());

function network(online: boolean): void {
  vi.spyOn(navigator, "onLine", "get").mockReturnValue(online);
  act(() => void window.dispatchEvent(new Event(online ? "online" : "offline")));
}

function show(link: Link): () => string | null {
  const { container } = render(<Waiting transcript={TRANSCRIPT} link={link} />);
  return () => container.textContent;
}

test("that the network has gone is told as soon as a request has shown it, and until one arrives", () => {
  const said = show("open");
  network(false);
  expect(said()).toBe(""); // the service may run on this machine
  act(() => setReached(false));
  expect(said()).toBe(OFFLINE);
  network(true);
  expect(said()).toBe("");
  act(() => setReached(true));
  expect(said()).toBe("");
});

test("a connection that broke is told as such where there is a network", () => {
  show("reconnecting");
  act(() => setReached(false));
  expect(screen.getByText(RECONNECTING)).toBeDefined();
});
