import { unreachable } from "@/lib/unreachable";
import { BrokenStream, type StreamEvent, type Writer } from "@/transcript/events";
import { afterCodePoints, codePoints, isAfter, placeOf, type Place } from "@/transcript/place";
import type { Part, Transcript } from "@/transcript/transcript";

const START: Place = { part: 0, offset: 0 };

/**
 * The transcript once `event`, which came with `id`, was read.
 *
 * Text that was read before is not read twice, wherever a reader comes back; text that is missing is not passed over.
 *
 * @throws {BrokenStream} something is missing before it.
 */
export function reduce(state: Transcript, id: string, event: StreamEvent): Transcript {
  const known = state.cursor === null ? START : placeOf(state.cursor);
  const place = placeOf(id);
  return { ...told(state, event, known, place), cursor: state.cursor === null || isAfter(place, known) ? id : state.cursor };
}

function told(state: Transcript, event: StreamEvent, known: Place, place: Place): Transcript {
  switch (event.type) {
    case "start":
      return { ...written(state, event.messageMetadata), messageId: event.messageId, note: null };
    case "text-start":
      return opened(state, numberOf(event.id), "text");
    case "reasoning-start":
      return opened(state, numberOf(event.id), "reasoning");
    case "text-delta":
    case "reasoning-delta": {
      const number = numberOf(event.id);
      if (number !== place.part) throw new BrokenStream(`A piece of part ${number} stands in part ${place.part}.`);
      const kind = event.type === "text-delta" ? "text" : "reasoning";
      return withText(opened(state, number, kind), number, unread(event.delta, place, known));
    }
    case "text-end":
    case "reasoning-end":
    case "done":
      return state;
    case "data-status":
      return { ...state, note: event.data.note };
    case "data-usage":
      return { ...state, usage: event.data };
    case "finish":
      return {
        ...written(state, event.messageMetadata),
        status: "completed",
        finishReason: event.finishReason.replaceAll("-", "_"),
        note: null,
      };
    case "error":
      return { ...state, status: "failed", error: { message: event.errorText }, note: null };
    case "abort":
      return { ...state, status: "cancelled", error: event.reason ? { message: event.reason } : null, note: null };
    default:
      return unreachable(event);
  }
}

/** A `start` tells all there is to know of the writer; a `finish` only if that has changed. */
function written(state: Transcript, writer: Writer | undefined): Transcript {
  if (!writer) return state;
  return { ...state, model: writer.model ?? state.model, modelNote: writer.note ?? null };
}

/** A part that is there already is not emptied: whoever comes back inside it is told its start again. */
function opened(state: Transcript, number: number, kind: Part["kind"]): Transcript {
  const part = state.parts[number];
  if (part && part.kind !== kind) throw new BrokenStream(`Part ${number} is ${part.kind}, not ${kind}.`);
  if (number > state.parts.length) throw new BrokenStream(`Part ${state.parts.length} is missing.`);
  if (part) return state;
  return { ...state, status: "streaming", parts: [...state.parts, { kind, text: "" }] };
}

function withText(state: Transcript, number: number, text: string): Transcript {
  const part = state.parts[number];
  if (!part || text === "") return state;
  return { ...state, parts: state.parts.with(number, { ...part, text: part.text + text }) };
}

/** What of `delta`, which ends at `place`, lies after `known`. */
function unread(delta: string, place: Place, known: Place): string {
  if (!isAfter(place, known)) return "";
  const read = place.part === known.part ? known.offset : 0;
  const begins = place.offset - codePoints(delta);
  if (begins > read) throw new BrokenStream(`Part ${place.part} lacks what lies between ${read} and ${begins}.`);
  return begins === read ? delta : afterCodePoints(delta, read - begins);
}

function numberOf(id: string): number {
  const number = /^part-(\d{1,9})$/.exec(id)?.[1];
  if (number === undefined) throw new BrokenStream(`${id} is no part.`);
  return Number(number);
}
