import { QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ConversationBody } from "@/api/generated";
import { startChanges } from "@/api/changes";
import { keys } from "@/api/query-keys";
import { look } from "@/api/scripted-service";

/** One connection to the live list, as the service has it. */
interface Listening {
  after: string | null;
  say: (text: string) => void;
  end: () => void;
  open: boolean;
}

const encoder = new TextEncoder();
let connections: Listening[];
let stops: (() => void)[];

beforeEach(() => {
  vi.useFakeTimers();
  connections = [];
  stops = [];
  vi.stubGlobal("fetch", connect);
  vi.stubGlobal("BroadcastChannel", Channel);
  vi.stubGlobal("navigator", Object.create(navigator, { locks: { value: new Locks() } }));
});

afterEach(() => {
  for (const stop of stops) stop();
  Channel.all.clear();
  look("visible");
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Channels that deliver at once. */
class Channel extends EventTarget {
  static readonly all = new Set<Channel>();
  constructor() {
    super();
    Channel.all.add(this);
  }
  postMessage(data: unknown): void {
    for (const other of Channel.all) if (other !== this) other.dispatchEvent(new MessageEvent("message", { data }));
  }
  close(): void {
    Channel.all.delete(this);
  }
}

/** One lock, in the order it was asked for. */
class Locks {
  #holder: { reject: (error: Error) => void } | null = null;
  #queue: (() => void)[] = [];

  request(_name: string, options: LockOptions, held: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const take = () => {
        if (options.signal?.aborted) return this.#next();
        const me = { reject };
        this.#holder = me;
        void held().then(resolve, reject).finally(() => this.#holder === me && this.#next());
      };
      options.signal?.addEventListener("abort", () => reject(new DOMException("Aborted", "AbortError")));
      if (options.steal) {
        this.#holder?.reject(new DOMException("Stolen", "AbortError"));
        take();
      } else if (this.#holder) this.#queue.push(take);
      else take();
    });
  }

  #next(): void {
    this.#holder = null;
    this.#queue.shift()?.();
  }
}

async function connect(_path: string, init: RequestInit): Promise<Response> {
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      const listening: Listening = {
        after: new Headers(init.headers).get("Last-Event-ID"),
        say: (text) => controller.enqueue(encoder.encode(text)),
        end: () => {
          listening.open = false;
          controller.close();
        },
        open: true,
      };
      init.signal?.addEventListener("abort", () => {
        listening.open = false;
        controller.error(new DOMException("Aborted", "AbortError"));
      });
      connections.push(listening);
    },
  });
  return new Response(body);
}

function conversation(id: string, more: Partial<ConversationBody> = {}): ConversationBody {
  const body = { id, title: id, archived: false, pinned: false, temporary: false, head_id: null, updated_at: "2026-01-01T00:00:00.000Z" };
  return { ...body, ...more } as ConversationBody;
}

function change(number: number, value: object): string {
  return `id: ${number}\ndata: ${JSON.stringify(value)}\n\n`;
}

function updated(number: number, body: ConversationBody): string {
  return change(number, { type: "conversation.updated", conversation_id: body.id, conversation: body });
}

/** A tab with a list of conversations in it. */
function tab(...items: ConversationBody[]) {
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const pages = { pages: [{ items, next: null }], pageParams: [null] };
  queries.setQueryData(keys.conversations({ archived: false }), pages);
  const stop = startChanges(queries);
  stops.push(stop);
  const listed = () =>
    queries
      .getQueryData<typeof pages>(keys.conversations({ archived: false }))
      ?.pages.flatMap((page) => page.items.map(({ title }) => title))
      .join(" ");
  const isStale = () => queries.getQueryState(keys.conversations({ archived: false }))?.isInvalidated;
  return { queries, stop, listed, isStale };
}

const pass = (milliseconds = 0) => vi.advanceTimersByTimeAsync(milliseconds);
const open = () => connections.filter((connection) => connection.open);

describe("changes", () => {
  it("reach every tab by one connection, each once", async () => {
    const [one, two] = [tab(conversation("a")), tab(conversation("a"))];
    await pass();
    expect(open()).toHaveLength(1);
    open()[0]?.say(change(4, { type: "ready" }) + updated(5, conversation("a", { title: "A" })) + updated(5, conversation("a", { title: "old" })));
    await pass();
    expect([one.listed(), two.listed()]).toEqual(["A", "A"]);
  });

  it("go on from the last number in the tab that takes over", async () => {
    const [one, two] = [tab(conversation("a")), tab(conversation("a"))];
    await pass();
    open()[0]?.say(change(4, { type: "ready" }) + updated(5, conversation("a", { title: "A" })));
    await pass();
    one.stop();
    await pass();
    expect(open().map(({ after }) => after)).toEqual(["5"]);
    open()[0]?.say(change(5, { type: "ready" }) + updated(6, conversation("a", { title: "B" })));
    await pass();
    expect(two.listed()).toBe("B");
  });

  it("go on from the last number after a cut", async () => {
    tab(conversation("a"));
    await pass();
    open()[0]?.say(change(4, { type: "ready" }));
    await pass();
    open()[0]?.end();
    await pass(1000);
    expect(open().map(({ after }) => after)).toEqual(["4"]);
  });

  it("that were missed before anybody listened have the lists read anew, and so has a reset", async () => {
    const one = tab(conversation("a"));
    await pass();
    open()[0]?.say(change(4, { type: "ready" }));
    await pass();
    expect(one.isStale()).toBe(true);
    one.queries.setQueryData(keys.conversations({ archived: false }), { pages: [], pageParams: [] });
    open()[0]?.say(change(3, { type: "reset" }));
    await pass();
    expect(one.isStale()).toBe(true);
    open()[0]?.end();
    await pass(1000);
    expect(open()[0]?.after).toBe("3");
  });

  it("are not listened to while nobody looks, and caught up with when somebody does", async () => {
    tab(conversation("a"));
    await pass();
    open()[0]?.say(change(4, { type: "ready" }));
    await pass();
    look("hidden");
    await pass(19_000);
    expect(open()).toHaveLength(1);
    await pass(2000);
    expect(open()).toHaveLength(0);
    look("visible");
    await pass();
    expect(open().map(({ after }) => after)).toEqual(["4"]);
  });

  it("are listened to by another tab when the one that does is frozen", async () => {
    tab(conversation("a"));
    await pass();
    const [frozen] = Channel.all;
    if (frozen) vi.spyOn(frozen, "postMessage").mockImplementation(() => {});
    const two = tab(conversation("a"));
    await pass(45_000);
    expect(two.listed()).toBe("a");
    await pass(10_000);
    open().at(-1)?.say(updated(9, conversation("a", { title: "A" })));
    await pass();
    expect(two.listed()).toBe("A");
  });

  it("are heard by every visible tab itself where there are no locks", async () => {
    vi.stubGlobal("navigator", Object.create(navigator, { locks: { value: undefined } }));
    const [one, two] = [tab(conversation("a")), tab(conversation("a"))];
    await pass();
    expect(open()).toHaveLength(2);
    for (const connection of open()) connection.say(change(4, { type: "ready" }) + updated(5, conversation("a", { title: "A" })));
    await pass();
    expect([one.listed(), two.listed()]).toEqual(["A", "A"]);
    look("hidden");
    await pass(21_000);
    expect(open()).toHaveLength(0);
  });

  it("that this page does not know are passed over", async () => {
    const one = tab(conversation("a"));
    await pass();
    open()[0]?.say(change(4, { type: "weather.changed" }) + updated(5, conversation("a", { title: "A" })));
    await pass();
    expect(one.listed()).toBe("A");
  });
});
