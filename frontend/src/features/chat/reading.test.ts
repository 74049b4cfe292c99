import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "@/api/client";
import { readRun, type Following, type Link, type Question } from "@/api/runs";
import { ANSWER, framesAfter, look, RUN_ID, ScriptedService, type Cut } from "@/api/scripted-service";
import { LiveRun } from "@/features/chat/live-run";

const QUESTION: Question = { path: "/api/chat/stream", body: { message: "?" }, key: "k-1" };
const WHOLE = framesAfter(null).length;

let service: ScriptedService;

beforeEach(() => {
  vi.useFakeTimers();
  service = new ScriptedService();
  vi.stubGlobal("fetch", service.fetch);
});

afterEach(() => {
  look("visible");
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

interface Read {
  run: LiveRun;
  links: Link[];
  result: Promise<string>;
  abort: AbortController;
}

function read(source: Question | Following = QUESTION): Read {
  const run = new LiveRun(RUN_ID);
  const links: Link[] = [];
  const abort = new AbortController();
  const onLink = (link: Link) => void links.push(link);
  const reader = { onFrames: run.onFrames.bind(run), onLink };
  const result = readRun(source, reader, abort.signal).catch((error: unknown) => {
    return error instanceof ApiError ? `refused: ${error.code}` : `thrown: ${String(error)}`;
  });
  return { run, links, result, abort };
}

/** Let time pass until the reading has its result. */
async function finished({ result }: Read): Promise<string> {
  const ends: string[] = [];
  void result.then((end) => ends.push(end));
  for (let seconds = 0; ends.length === 0 && seconds < 600; seconds += 1) await vi.advanceTimersByTimeAsync(1000);
  return ends[0] ?? "never";
}

async function expectWhole(reading: Read): Promise<void> {
  expect(await finished(reading)).toBe("ended");
  expect(reading.run.transcript).toMatchObject({ parts: ANSWER, status: "completed", cursor: `${RUN_ID}-end-2` });
  expect(service.bought).toEqual(service.bought.length > 0 ? ["k-1"] : []);
}

describe("a run is read whole, and bought once", () => {
  it("when nothing goes wrong", async () => {
    await expectWhole(read());
    expect(service.asked).toHaveLength(1);
  });

  it.each(["eof", "reset"] as const)("when its connection is cut at any byte, by %s", async (by) => {
    for (let after = 0; after < WHOLE; after += 1) {
      service = new ScriptedService();
      vi.stubGlobal("fetch", service.fetch);
      service.fates.push({ after, by });
      await expectWhole(read());
    }
  });

  it("when every connection is cut a little later than the one before", async () => {
    service.fates.push(...Array.from({ length: 40 }, (_, at): Cut => ({ after: 150 + at * 20, by: at % 2 ? "eof" : "reset" })));
    await expectWhole(read());
  });

  it("when it is only followed, from the start or from a place", async () => {
    await expectWhole(read({ runId: RUN_ID, after: null }));
    expect(service.asked.map(({ method }) => method)).toEqual(["GET"]);
  });

  it("when a connection falls silent", async () => {
    service.fates.push({ after: 400, by: "silence" });
    const reading = read();
    await vi.advanceTimersByTimeAsync(37_000);
    expect(service.asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(2000);
    expect(service.asked).toHaveLength(2);
    await expectWhole(reading);
  });

  it.each(["unreachable", "lost", "html"] as const)("when the question meets %s, by the same key", async (fate) => {
    service.fates.push(fate, fate, fate);
    await expectWhole(read());
    expect(service.asked.map(({ method, key }) => `${method} ${key}`)).toEqual(Array(4).fill("POST k-1"));
  });

  it("when the service is being restarted, not before it said", async () => {
    service.fates.push({ status: 503, code: "draining", retryAfter: 5 });
    const reading = read();
    await vi.advanceTimersByTimeAsync(4900);
    expect(service.asked).toHaveLength(1);
    await expectWhole(reading);
  });

  it.each([401, 429, 503])("when a reconnect is answered by %d", async (status) => {
    service.fates.push({ after: 500, by: "eof" }, { status, code: "later", retryAfter: 2 });
    await expectWhole(read());
  });

  it("when all was told before the cut", async () => {
    expect(await finished(read({ runId: RUN_ID, after: `${RUN_ID}-end-2` }))).toBe("ended");
  });
});

describe("a question", () => {
  it("is not repeated once it was refused", async () => {
    service.fates.push({ status: 429, code: "too_many_requests", retryAfter: 30 });
    expect(await finished(read())).toBe("refused: too_many_requests");
    expect(service.asked).toHaveLength(1);
  });

  it("is given back when the service stays away", async () => {
    service.fates.push(...Array.from({ length: 200 }, () => "unreachable" as const));
    expect(await finished(read())).toBe("refused: unreachable");
    expect(service.asked.length).toBeLessThan(30);
    expect(service.bought).toEqual([]);
  });

  it("is repeated at once when the network is back", async () => {
    service.fates.push(...Array.from({ length: 8 }, () => "unreachable" as const));
    const reading = read();
    await vi.advanceTimersByTimeAsync(20_000);
    const before = service.asked.length;
    window.dispatchEvent(new Event("online"));
    await vi.advanceTimersByTimeAsync(0);
    expect(service.asked).toHaveLength(before + 1);
    expect(await finished(reading)).toBe("ended");
  });
});

describe("a run", () => {
  it.each([
    { status: 404, code: "run_not_found" },
    { status: 400, code: "bad_cursor" },
  ])("that the service does not know any more is gone: $code", async (fate) => {
    service.fates.push({ after: 500, by: "eof" }, fate);
    expect(await finished(read())).toBe("gone");
  });

  it("that cannot be read is not asked for for ever", async () => {
    vi.stubGlobal("fetch", async () => new Response("id: x\ndata: {\n\n", { headers: { "X-Run-Id": RUN_ID } }));
    expect(await finished(read())).toBe("gone");
  });

  it("says how the way to it is", async () => {
    service.fates.push({ after: 500, by: "eof" }, "unreachable");
    const reading = read();
    await finished(reading);
    expect(reading.links).toEqual(["open", "reconnecting", "reconnecting", "open"]);
  });

  it("is let go while nobody looks, and read on at once when somebody does", async () => {
    service.fates.push({ after: 500, by: "silence" });
    const reading = read();
    await vi.advanceTimersByTimeAsync(1000);
    const { cursor } = reading.run.transcript;
    look("hidden");
    await vi.advanceTimersByTimeAsync(600_000);
    expect(service.asked).toHaveLength(1);
    look("visible");
    await vi.advanceTimersByTimeAsync(0);
    expect(service.asked[1]?.after).toBe(cursor);
    await expectWhole(reading);
    expect(service.asked).toHaveLength(2);
    expect(reading.links).toEqual(["open", "open"]);
  });

  it("is kept through a glance at another tab", async () => {
    service.fates.push({ after: 500, by: "silence" });
    read();
    await vi.advanceTimersByTimeAsync(1000);
    look("hidden");
    await vi.advanceTimersByTimeAsync(19_000);
    look("visible");
    await vi.advanceTimersByTimeAsync(5000);
    expect(service.asked).toHaveLength(1);
  });

  it("is not read any more once nobody wants it", async () => {
    service.fates.push({ after: 500, by: "silence" });
    const reading = read();
    await vi.advanceTimersByTimeAsync(1000);
    reading.abort.abort();
    expect(await finished(reading)).toMatch("AbortError");
    expect(vi.getTimerCount()).toBeLessThanOrEqual(1); // what is left to show
  });
});
