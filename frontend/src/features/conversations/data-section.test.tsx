import { act, fireEvent, screen, waitFor } from "@testing-library/react";
import { beforeEach, expect, test, vi } from "vitest";
import DataSection from "@/features/conversations/data-section";
import { show } from "@/features/conversations/fixtures";
import { cancelImport, useImport } from "@/features/conversations/imports";
import { speak } from "@/lib/fixtures";

/** A request that a test answers by hand. */
class FakeRequest extends EventTarget {
  static last: FakeRequest;
  upload = new EventTarget();
  status = 0;
  responseText = "";
  sent: unknown;
  type = "";
  open = vi.fn<(method: string, path: string) => void>();

  constructor() {
    super();
    FakeRequest.last = this;
  }
  setRequestHeader(name: string, value: string) {
    if (name === "Content-Type") this.type = value;
  }
  getResponseHeader(name: string) {
    return name === "Content-Type" ? (this.status === 200 ? "application/json" : "application/problem+json") : null;
  }
  send(body: unknown) {
    this.sent = body;
  }
  abort() {
    this.dispatchEvent(new Event("abort"));
  }
  progress(loaded: number, total: number) {
    act(() => void this.upload.dispatchEvent(new ProgressEvent("progress", { loaded, total, lengthComputable: true })));
  }
  uploaded() {
    act(() => void this.upload.dispatchEvent(new Event("load")));
  }
  answer(status: number, body: unknown) {
    this.status = status;
    this.responseText = typeof body === "string" ? body : JSON.stringify(body);
    act(() => void this.dispatchEvent(new Event("load")));
  }
  break() {
    act(() => void this.dispatchEvent(new Event("error")));
  }
}

const FILE = new File(["[]"], "conversations.json", { type: "application/json" });

beforeEach(() => {
  vi.stubGlobal("XMLHttpRequest", FakeRequest);
  useImport.setState({ now: { step: "none" } });
  return async () => {
    cancelImport();
    await vi.waitFor(() => expect(useImport.getState().now.step).not.toMatch(/sending|reading/));
    vi.unstubAllGlobals();
  };
});

async function choose(file: File = FILE) {
  const shown = await show(<DataSection />);
  fireEvent.change(screen.getByTestId("file"), { target: { files: [file] } });
  return { ...shown, request: FakeRequest.last };
}

test("everything is exported by a plain link", async () => {
  await show(<DataSection />);
  const link = screen.getByRole("link", { name: "Export everything" });
  expect([link.getAttribute("href"), link.hasAttribute("download")]).toEqual(["/api/export", true]);
});

test("the file is sent as it is, with a bar that tells how far it is, then read", async () => {
  const { request } = await choose();
  expect([request.open.mock.calls, request.type, request.sent]).toEqual([[["POST", "/api/import"]], "application/json", FILE]);
  request.progress(1, 4);
  expect(screen.getByRole("progressbar").getAttribute("aria-valuenow")).toBe("25");
  expect(screen.getByText("25%")).toBeTruthy();
  request.uploaded();
  expect(screen.getByRole("progressbar").hasAttribute("aria-valuenow")).toBe(false);
  expect(screen.getByRole("status").textContent).toMatch(/^Reading/);
  expect(screen.queryByRole("button", { name: "Cancel" })).toBeNull();
});

const EMPTY = { where: "[1]", code: "no_text", kind: null, number: null, why: "In English." };

test("the result is counted, what was left out is listed, and the list is read anew", async () => {
  const cut = { where: "[1].title", code: "too_long", kind: null, number: 1200, why: "In English." };
  const unknown = { where: "[2]", code: "newer", kind: null, number: null, why: "A newer <b>reason</b>." };
  const { request, queries } = await choose();
  const invalidate = vi.spyOn(queries, "invalidateQueries");
  request.uploaded();
  request.answer(200, { conversations: 1200, messages: 3, skipped: [cut, unknown] });
  await screen.findByText(/was imported/);
  expect(screen.getAllByRole("definition").map((one) => one.textContent)).toEqual(["1,200", "3"]);
  expect(screen.getByText("Not taken over (2)").closest("details")?.open).toBe(false);
  expect(screen.getAllByRole("listitem", { hidden: true }).map((one) => one.textContent)).toEqual([
    "[1].titleIt is cut to 1,200 characters.",
    "[2]A newer <b>reason</b>.",
  ]);
  expect(invalidate).toHaveBeenCalledWith({ queryKey: ["conversations"] });
});

test("the same file again says that everything is there", async () => {
  const { request } = await choose();
  request.answer(200, { conversations: 0, messages: 0, skipped: [] });
  await screen.findByText(/already there\. Nothing was added\./);
});

test("the same file again, with what is never taken over, says both", async () => {
  const { request } = await choose();
  request.answer(200, { conversations: 0, messages: 0, skipped: [EMPTY] });
  await screen.findByText(/^Nothing was added\. .* already there\.$/);
  expect(screen.getByText("It has no messages with text.")).toBeTruthy();
});

test("what was left out is told in Korean", async () => {
  await speak("ko");
  const { request } = await choose();
  const picture = { where: "[1]", code: "kind", kind: "image<1>", number: null, why: "In English." };
  const more = { where: "", code: "more", kind: null, number: 1200, why: "In English." };
  request.answer(200, { conversations: 1, messages: 3, skipped: [picture, more] });
  await screen.findByText("지원하지 않는 종류의 내용(image<1>)이어서 가져오지 않았습니다.");
  expect(screen.getByText("이 밖에 1,200개가 더 있습니다.")).toBeTruthy();
});

const PLACE = "conversations[1].messages[2].role: Invalid enum value 'system'. Nothing was imported.";

test.each([
  ["not_an_export", "The file: In English.", "이 서비스에서 내보낸 파일도, ChatGPT에서 내보낸 conversations.json 파일도 아닙니다. 다른 파일을 선택하세요."],
  ["invalid", "The file: In English.", "파일을 끝까지 읽을 수 없습니다. 손상되었거나 일부가 빠졌을 수 있으니, 파일을 다시 받아 가져오세요."],
  ["invalid", PLACE, `파일에서 다음 위치의 내용이 잘못되었습니다.${PLACE}`],
])("a file that cannot be taken is told in Korean, and by the service's own words only where they name the place: %s", async (code, detail, said) => {
  await speak("ko");
  const { request } = await choose();
  request.uploaded();
  request.answer(422, { code, detail, retryable: false });
  const alert = await screen.findByRole("alert");
  expect(alert.textContent).toMatch(/파일을 가져오지 못했습니다\./);
  expect(alert.textContent.endsWith(`못했습니다.${said}`)).toBe(true);
});

test("a place in a broken file is told", async () => {
  const { request } = await choose();
  request.answer(422, { code: "invalid", detail: PLACE, retryable: false });
  expect((await screen.findByText(PLACE)).lang).toBe("en");
  expect(screen.getByText("Something in the file is wrong at this place:")).toBeTruthy();
});

test("an answer that is none of the service's ends the wait, too", async () => {
  const { request } = await choose();
  request.uploaded();
  request.answer(200, "<!doctype html><title>Sign in to this network</title>");
  expect((await screen.findByRole("alert")).textContent).toMatch(/was not imported\.\S/);
  expect(screen.queryByRole("progressbar")).toBeNull();
});

test("a connection that breaks while the file is sent says what to look at", async () => {
  const { request } = await choose();
  request.progress(1, 2);
  request.break();
  expect((await screen.findByRole("alert")).textContent).toContain("The connection broke off");
});

test("it can be cancelled while it is sent, and another one begun", async () => {
  const { request } = await choose();
  request.progress(1, 2);
  fireEvent.click(screen.getByRole("button", { name: "Cancel" }));
  await waitFor(() => expect(screen.getByRole("status").textContent).toBe("The import was cancelled. Nothing was added."));
  fireEvent.change(screen.getByTestId("file"), { target: { files: [FILE] } });
  expect(FakeRequest.last).not.toBe(request);
});

test("only one is sent at a time", async () => {
  const { request } = await choose();
  fireEvent.change(screen.getByTestId("file"), { target: { files: [FILE] } });
  expect(FakeRequest.last).toBe(request);
});

test("a file can be dropped anywhere on the page", async () => {
  await show(<DataSection />);
  const dataTransfer = { types: ["Files"], files: [FILE] };
  fireEvent.dragOver(document.body, { dataTransfer });
  expect(screen.getByText("Let go to import the file")).toBeTruthy();
  fireEvent.drop(document.body, { dataTransfer });
  expect(FakeRequest.last.sent).toBe(FILE);
});

test("a ZIP file is not sent", async () => {
  await choose(new File(["PK"], "export.ZIP"));
  expect((await screen.findByRole("alert")).textContent).toContain("Unpack it first");
});

test("leaving the page asks, as long as the file is being sent", async () => {
  expect(asksToStay()).toBe(false);
  const { request } = await choose();
  expect(asksToStay()).toBe(true);
  request.uploaded();
  expect(asksToStay()).toBe(false);
  request.answer(200, { conversations: 0, messages: 0, skipped: [] });
});

function asksToStay(): boolean {
  return !dispatchEvent(new Event("beforeunload", { cancelable: true }));
}
