/** For tests: a service that answers every question with the same two parts, and connections that go wrong as they are told to. */

export const RUN_ID = "01kandgz1m5d9ryt3ek2yqv8p4";
export const ANSWER_ID = "01kandgz1ncd3x4q0d8rm5v7hz";

const PARTS = [
  { kind: "reasoning", pieces: ["생각 ", "🤔🧵"] },
  { kind: "text", pieces: ["안녕", "하세요 ", "👩\u200d💻", "\n\ndata: [DONE]\n\n", "끝"] },
] as const;

/** What a reader must have in the end. */
export const ANSWER = PARTS.map(({ kind, pieces }) => ({ kind, text: pieces.join("") }));

/** How one response ends: after so many bytes, cleanly, with an error, or not at all. */
export interface Cut {
  after: number;
  by: "eof" | "reset" | "silence";
}

/** What becomes of one request: it is refused, it never arrives, or its response never does. */
export type Fate = { status: number; code: string; retryAfter?: number } | "unreachable" | "lost" | "html" | Cut;

export interface Asked {
  method: string;
  path: string;
  key: string | null;
  after: string | null;
  body: unknown;
}

export class ScriptedService {
  /** Of the requests to come, in order; those after them go well. */
  readonly fates: Fate[] = [];
  readonly asked: Asked[] = [];
  /** Keys that were bought an answer. */
  readonly bought: string[] = [];
  /** Whether the answer was told to its end. */
  told = false;
  /** Runs that were asked to stop. */
  readonly cancelled: string[] = [];
  /** Takes what is not a run's. */
  otherwise: ((asked: Asked) => unknown) | undefined;

  readonly fetch = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const headers = new Headers(init.headers);
    const asked: Asked = {
      method: init.method ?? "GET",
      path,
      key: headers.get("Idempotency-Key"),
      after: headers.get("Last-Event-ID"),
      body: typeof init.body === "string" ? JSON.parse(init.body) : undefined,
    };
    const isStream = path.includes("format=ui");
    if (path.endsWith("/cancel")) {
      this.cancelled.push(path);
      return Response.json({ id: RUN_ID, status: "running" }, { status: 202 });
    }
    if (!isStream) {
      const answer = this.otherwise?.(asked);
      return json(answer instanceof Promise ? await answer : answer);
    }
    this.asked.push(asked);
    await Promise.resolve(); // an answer is never there at once
    init.signal?.throwIfAborted();
    const fate = this.fates.shift();
    if (fate === "unreachable") throw new TypeError("Failed to fetch");
    if (fate === "html") return new Response("<h1>502</h1>", { status: 502, headers: { "Content-Type": "text/html" } });
    if (typeof fate === "object" && "status" in fate) return problem(fate);
    if (asked.key !== null && !this.bought.includes(asked.key)) this.bought.push(asked.key);
    if (fate === "lost") throw new TypeError("Failed to fetch");
    if (asked.after === `${RUN_ID}-end-2`) return new Response(null, { status: 204 });
    this.told ||= fate === undefined;
    return streamed(framesAfter(asked.after), fate, init.signal ?? undefined);
  };
}

/** All bytes of a response that begins after `after`. */
export function framesAfter(after: string | null): Uint8Array<ArrayBuffer> {
  const [, part = "0", offset = "0"] = /-(\d+|end)-(\d+)$/.exec(after ?? "") ?? [];
  const frames: string[] = [`retry: 2000\nid: ${after ?? `${RUN_ID}-0-0`}\n\n`];
  if (part !== "end") frames.push(...opening(Number(part), Number(offset)));
  const read = part === "end" ? Infinity : Number(part);
  PARTS.forEach(({ kind, pieces }, number) => {
    if (number < read) return;
    let end = 0;
    for (const piece of pieces) {
      const letters = Array.from(piece);
      if (end === 0 && (number > read || offset === "0")) frames.push(frame(`${number}-0`, { type: `${kind}-start`, id: `part-${number}` }));
      end += letters.length;
      const rest = number === read ? letters.slice(Math.max(0, letters.length - (end - Number(offset)))) : letters;
      const isRead = number === read && end <= Number(offset);
      if (!isRead) frames.push(frame(`${number}-${end}`, { type: `${kind}-delta`, id: `part-${number}`, delta: rest.join("") }));
    }
    frames.push(": keepalive\n\n", frame(`${number}-${end}`, { type: `${kind}-end`, id: `part-${number}` }));
  });
  if (part !== "end") frames.push(frame("end-1", { type: "finish", finishReason: "stop" }));
  frames.push(`id: ${RUN_ID}-end-2\ndata: [DONE]\n\n`);
  return new TextEncoder().encode(frames.join(""));
}

function opening(part: number, offset: number): string[] {
  const start = frame(`${part}-${offset}`, { type: "start", messageId: ANSWER_ID, messageMetadata: { model: "m" } });
  const inside = PARTS[offset > 0 ? part : part - 1];
  const number = offset > 0 ? part : part - 1;
  return inside ? [start, frame(`${part}-${offset}`, { type: `${inside.kind}-start`, id: `part-${number}` })] : [start];
}

function frame(place: string, data: object): string {
  return `id: ${RUN_ID}-${place}\ndata: ${JSON.stringify(data)}\n\n`;
}

function streamed(bytes: Uint8Array<ArrayBuffer>, cut: Cut | undefined, signal: AbortSignal | undefined): Response {
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      const told = bytes.slice(0, cut?.after);
      if (told.length > 0) controller.enqueue(told);
      if (!cut || cut.by === "eof") controller.close();
      else signal?.addEventListener("abort", () => controller.error(new DOMException("Aborted", "AbortError")));
      // What arrived before a reset is read first.
      if (cut?.by === "reset") setTimeout(() => controller.error(new TypeError("network error")), 1);
    },
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream", "X-Run-Id": RUN_ID } });
}

function json(value: unknown): Response {
  if (value instanceof Response) return value;
  return value === undefined ? new Response(null, { status: 204 }) : Response.json(value);
}

export function problem({ status, code, retryAfter }: { status: number; code: string; retryAfter?: number }): Response {
  const body = JSON.stringify({ title: code, status, detail: `It was refused: ${code}.`, code, retryable: status >= 429 });
  const headers: Record<string, string> = { "Content-Type": "application/problem+json" };
  if (retryAfter !== undefined) headers["Retry-After"] = String(retryAfter);
  return new Response(body, { status, headers });
}

/** The page is seen, or hidden. */
export function look(state: DocumentVisibilityState): void {
  Object.defineProperty(document, "visibilityState", { configurable: true, value: state });
  document.dispatchEvent(new Event("visibilitychange"));
}
