import { fireEvent, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { Composer } from "@/features/chat/composer";
import { putBack, setDraft } from "@/features/chat/drafts";
import { lengthOf, MAX_MESSAGE_CHARS } from "@/features/chat/message-length";

beforeEach(() => setDraft("c1", ""));

function show({ busy = false, conversationId = "c1" } = {}) {
  const onSend = vi.fn<(text: string) => void>();
  const onStop = vi.fn<() => void>();
  const view = render(<Composer conversationId={conversationId} busy={busy} onSend={onSend} onStop={onStop} />);
  return { onSend, onStop, user: userEvent.setup(), box: screen.getByRole<HTMLTextAreaElement>("textbox"), ...view };
}

describe("the composer", () => {
  it("sends what was typed, once, and keeps the focus", async () => {
    const { onSend, user, box } = show();
    await user.type(box, "one{Shift>}{Enter}{/Shift}two{Enter}{Enter}");
    expect(onSend.mock.calls).toEqual([["one\ntwo"]]);
    expect(box.value).toBe("");
    expect(document.activeElement).toBe(box);
  });

  it("sends nothing blank", async () => {
    const { onSend, user, box } = show();
    await user.type(box, "  {Enter}");
    expect(onSend).not.toHaveBeenCalled();
  });

  it("lets one type, and stop, but not send while an answer is being written", async () => {
    const { onSend, onStop, user, box } = show({ busy: true });
    await user.type(box, "next{Enter}");
    await user.click(screen.getByRole("button", { name: "Send" }));
    expect(onSend).not.toHaveBeenCalled();
    expect(box.value).toBe("next");
    await user.click(screen.getByRole("button", { name: "Stop the answer" }));
    expect(onStop).toHaveBeenCalledOnce();
  });

  it("keeps a draft for each conversation", async () => {
    const { user, box, unmount } = show();
    await user.type(box, "half a thought");
    unmount();
    const other = show({ conversationId: "c2" });
    expect(other.box.value).toBe("");
    other.unmount();
    expect(show().box.value).toBe("half a thought");
  });

  it("takes back a question before what was typed since", () => {
    setDraft("c1", "since");
    putBack("c1", "before");
    expect(show().box.value).toBe("before\n\nsince");
  });

  it("counts what is too long, and says so", () => {
    const { box, onSend } = show();
    fireEvent.change(box, { target: { value: "😀".repeat(MAX_MESSAGE_CHARS) } });
    expect(box.getAttribute("aria-invalid")).toBe("false");
    fireEvent.change(box, { target: { value: "가".repeat(MAX_MESSAGE_CHARS + 5) } });
    expect(screen.getByRole("status").textContent).toMatch(/5 characters too long/);
    fireEvent.keyDown(box, { key: "Enter", keyCode: 13 });
    expect(onSend).not.toHaveBeenCalled();
  });

  it("does not take in a paste that no message could hold", () => {
    const { box } = show();
    const refused = !fireEvent.paste(box, { clipboardData: { getData: () => "가".repeat(5_000_000) } });
    expect(refused).toBe(true);
    expect(screen.getByRole("status").textContent).toMatch(/5,000,000 characters/);
  });
});

it("a character is what a person counts as one", () => {
  expect(["", "a", "한글", "😀", "a😀b", "\ud83d", "\ude00\ud83d"].map(lengthOf)).toEqual([0, 1, 2, 1, 3, 1, 2]);
});
