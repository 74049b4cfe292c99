import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it, vi } from "vitest";
import { ApiError } from "@/api/client";
import type { MessageBody } from "@/api/generated";
import { keys } from "@/api/query-keys";
import type { Entry } from "@/features/chat/entry";
import { EntryRow } from "@/features/chat/entry-row";
import type { MessageActions } from "@/features/chat/message-actions";

function actionsOf() {
  return {
    retry: vi.fn<MessageActions["retry"]>(),
    edit: vi.fn<MessageActions["edit"]>(),
    goOn: vi.fn<MessageActions["goOn"]>(),
    show: vi.fn<MessageActions["show"]>(),
    resend: vi.fn<MessageActions["resend"]>(),
    takeBack: vi.fn<MessageActions["takeBack"]>(),
  };
}

function entryOf(role: Entry["role"], text: string, message: Partial<MessageBody> = {}, more: Partial<Entry> = {}): Entry {
  return {
    id: "m1",
    role,
    parts: text ? [{ kind: "text", text }] : [],
    message: {
      id: "m1",
      role,
      parent_id: null,
      parts: [],
      siblings: ["m1"],
      created_at: "2026-01-01T00:00:00Z",
      ...(role === "assistant" && { status: "completed", finish_reason: "stop" }),
      ...message,
    },
    runId: null,
    state: "done",
    problem: null,
    ...more,
  };
}

function show(entry: Entry, busy = false) {
  const actions = actionsOf();
  const queries = new QueryClient();
  queries.setQueryData(keys.models, [{ id: "openai/gpt", name: "The Model", provider: "openai", default: true }]);
  render(
    <QueryClientProvider client={queries}>
      <EntryRow entry={entry} last marked={false} busy={busy} actions={actions} />
    </QueryClientProvider>,
  );
  return { actions, user: userEvent.setup() };
}

const button = (name: string) => screen.getByRole("button", { name });

describe("how an answer ended is a sentence with what to do", () => {
  it.each<[string, Partial<MessageBody>, text: string, said: RegExp, offered: string[]]>([
    ["cut by length", { finish_reason: "length" }, "half", /longest allowed length/, ["Continue"]],
    ["filtered", { finish_reason: "content_filter" }, "half", /content rules/, ["Answer again"]],
    ["interrupted", { status: "interrupted", finish_reason: null }, "half", /is kept/, ["Continue", "Answer again"]],
    ["interrupted at once", { status: "interrupted", finish_reason: null }, "", /before anything arrived/, ["Answer again"]],
    ["cancelled", { status: "cancelled", finish_reason: null }, "half", /Stopped/, ["Continue", "Answer again"]],
    ["failed", { status: "failed", error: { code: "upstream_timeout", message: "x", retryable: true } }, "", /\w+/, ["Answer again"]],
    ["empty", {}, "", /with nothing/, ["Answer again"]],
  ])("%s", (_, message, text, said, offered) => {
    show(entryOf("assistant", text, message));
    const note = screen.getByRole("note");
    expect(note.textContent).toMatch(said);
    expect(within(note).getAllByRole("button").map(({ textContent }) => textContent)).toEqual(offered);
  });

  it("and nothing is said of one that is complete", () => {
    show(entryOf("assistant", "whole"));
    expect(screen.queryByRole("note")).toBeNull();
  });

  it("Continue and Answer again do what they say", async () => {
    const { actions, user } = show(entryOf("assistant", "half", { status: "interrupted" }));
    const note = within(screen.getByRole("note"));
    await user.click(note.getByRole("button", { name: "Continue" }));
    await user.click(note.getByRole("button", { name: "Answer again" }));
    expect(actions.goOn).toHaveBeenCalledExactlyOnceWith("m1");
    expect(actions.retry).toHaveBeenCalledExactlyOnceWith("m1");
  });
});

describe("an answer", () => {
  it("says who wrote it and what it took", () => {
    const usage = { input_tokens: 1234, output_tokens: 56, reasoning_tokens: 0, cached_tokens: 0 };
    show(entryOf("assistant", "whole", { model: "openai/gpt", usage, left_out: 3 }));
    expect(screen.getByText("The Model")).toBeDefined();
    expect(screen.getByText("1,234 tokens in, 56 out")).toBeDefined();
    expect(screen.getByText(/first 3 messages/)).toBeDefined();
  });

  it("keeps its reasoning folded", async () => {
    const parts = [{ kind: "reasoning", text: "let me see" } as const, { kind: "text", text: "so" } as const];
    const { user } = show(entryOf("assistant", "", {}, { parts }));
    expect(screen.queryByText("let me see")).toBeNull();
    await user.click(screen.getByText("Thoughts"));
    expect(await screen.findByText("let me see")).toBeDefined();
  });

  it("goes from version to version, and not beyond the last", async () => {
    const { actions, user } = show(entryOf("assistant", "whole", { siblings: ["m0", "m1"] }));
    await user.click(button("Previous version"));
    await user.click(button("Next version"));
    expect(actions.show.mock.calls).toEqual([["m0"]]);
    expect(screen.getByText("2 of 2")).toBeDefined();
  });

  it("buys nothing while another one is being written", async () => {
    const { actions, user } = show(entryOf("assistant", "whole"), true);
    await user.click(button("Answer again"));
    expect(actions.retry).not.toHaveBeenCalled();
  });
});

describe("a question", () => {
  it("is never drawn as Markdown", () => {
    show(entryOf("user", "**not bold** <b>x</b>"));
    expect(screen.getByText("**not bold** <b>x</b>")).toBeDefined();
  });

  it("is edited in its place, and asked once", async () => {
    const { actions, user } = show(entryOf("user", "old"));
    await user.click(button("Edit"));
    const box = screen.getByRole("textbox", { name: "Edit the message" });
    expect(document.activeElement).toBe(box);
    await user.clear(box);
    await user.type(box, "new{Enter}");
    expect(actions.edit.mock.calls).toEqual([["m1", "new"]]);
  });

  it("stays as it was when editing is given up, or changed nothing", async () => {
    const { actions, user } = show(entryOf("user", "old"));
    await user.click(button("Edit"));
    await user.keyboard("x{Escape}");
    expect(screen.getByText("old")).toBeDefined();
    await user.click(button("Edit"));
    await user.keyboard("{Enter}");
    expect(actions.edit).not.toHaveBeenCalled();
  });

  it("that was not sent says why, and is sent again or taken back", async () => {
    const problem = new ApiError(0, "unreachable", "x", true);
    const { actions, user } = show(entryOf("user", "hello", {}, { id: "key", message: null, state: "unsent", problem }));
    expect(screen.getByRole("alert").textContent).toMatch(/cannot be reached/);
    await user.click(button("Send again"));
    await user.click(button("Take back"));
    expect(actions.resend).toHaveBeenCalledExactlyOnceWith("key");
    expect(actions.takeBack).toHaveBeenCalledExactlyOnceWith("key", "hello");
  });
});
