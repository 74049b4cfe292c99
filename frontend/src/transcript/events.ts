import type { Part, Usage } from "@/transcript/transcript";

type Kind = Part["kind"];

/** Who writes an answer, as `start` and `finish` say it. */
export interface Writer {
  model?: string;
  note?: string;
}

/** What the service says in `format=ui` (the AI SDK's UI message stream, version 1), as far as this page knows it. */
export type StreamEvent =
  | { type: "start"; messageId: string; messageMetadata?: Writer }
  | { type: `${Kind}-start`; id: string }
  | { type: `${Kind}-delta`; id: string; delta: string }
  | { type: `${Kind}-end`; id: string }
  | { type: "data-status"; data: { note: string | null } }
  | { type: "data-usage"; data: Usage }
  | { type: "finish"; finishReason: string; messageMetadata?: Writer }
  | { type: "error"; errorText: string }
  | { type: "abort"; reason?: string }
  | { type: "done" };

/** The stream says what it cannot say. What was read before holds; the rest is to be read again from there. */
export class BrokenStream extends Error {
  override readonly name = "BrokenStream";
}

const KNOWN: { [Type in StreamEvent["type"]]: (event: Record<string, unknown>) => boolean } = {
  start: (event) => typeof event["messageId"] === "string",
  "text-start": hasId,
  "reasoning-start": hasId,
  "text-delta": hasDelta,
  "reasoning-delta": hasDelta,
  "text-end": hasId,
  "reasoning-end": hasId,
  "data-status": (event) => isObject(event["data"]),
  "data-usage": (event) => isObject(event["data"]),
  finish: (event) => typeof event["finishReason"] === "string",
  error: (event) => typeof event["errorText"] === "string",
  abort: () => true,
  done: () => false, // is said as [DONE]
};

/**
 * The event that the data of a frame spells; null for types that this page does not know: they are the service's to add.
 *
 * @throws {BrokenStream} it is no JSON object, or not what its type says.
 */
export function parseEvent(data: string): StreamEvent | null {
  if (data === "[DONE]") return { type: "done" };
  const event = parsed(data);
  if (!isObject(event)) throw new BrokenStream("A frame is no object.");
  const type = event["type"];
  if (typeof type !== "string" || !Object.hasOwn(KNOWN, type)) return null;
  if (!KNOWN[type as StreamEvent["type"]](event)) throw new BrokenStream(`A frame is not what its type ${type} says.`);
  return event as StreamEvent;
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch (error) {
    throw new BrokenStream("A frame is no JSON.", { cause: error });
  }
}

function hasId(event: Record<string, unknown>): boolean {
  return typeof event["id"] === "string";
}

function hasDelta(event: Record<string, unknown>): boolean {
  return hasId(event) && typeof event["delta"] === "string";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
