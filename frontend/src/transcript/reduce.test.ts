import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { BrokenStream, parseEvent } from "@/transcript/events";
import { reduce } from "@/transcript/reduce";
import { emptyTranscript, hasEnded, type Transcript } from "@/transcript/transcript";

interface Frame {
  id: string;
  data: unknown;
}

interface Fixture {
  name: string;
  run_id: string;
  frames: Frame[];
  transcript: Record<string, unknown>;
}

const FOLDER = "../fixtures/transcripts";
const FIXTURES = readdirSync(FOLDER).map((name) => JSON.parse(readFileSync(`${FOLDER}/${name}`, "utf8")) as Fixture);

function dataOf({ data }: Frame): string {
  return typeof data === "string" ? data : JSON.stringify(data);
}

function read(state: Transcript, frames: readonly Frame[]): Transcript {
  return frames.reduce((before, frame) => {
    const event = parseEvent(dataOf(frame));
    return event ? reduce(before, frame.id, event) : before;
  }, state);
}

/** As the fixtures say it: what is absent is nothing. */
function said(state: Transcript): Record<string, unknown> {
  const { parts, status, note, finishReason, error, model, modelNote, usage, cursor } = state;
  const all = {
    parts: parts.map(({ kind, text }) => ({ type: kind, text })),
    status: status === "waiting" ? "streaming" : status,
    note,
    finish_reason: finishReason,
    error,
    model,
    model_note: modelNote,
    usage,
    cursor,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null));
}

describe.each(FIXTURES)("$name", ({ run_id: runId, frames, transcript }) => {
  const empty = emptyTranscript(runId);

  it("comes to what the service says it does", () => {
    expect(said(read(empty, frames))).toEqual(transcript);
  });

  it("comes to the same when all of it is read again after any frame", () => {
    for (let cut = 0; cut <= frames.length; cut += 1) {
      expect(said(read(read(empty, frames.slice(0, cut)), frames))).toEqual(transcript);
    }
  });

  it("comes to the same when it goes back to any frame from any other", () => {
    for (let cut = 0; cut <= frames.length; cut += 1) {
      for (let back = 0; back < cut; back += 1) {
        expect(read(read(empty, frames.slice(0, cut)), frames.slice(back)).parts).toEqual(read(empty, frames).parts);
      }
    }
  });

  it("comes to the same however its text is cut, also inside what was read", () => {
    const pieces = frames.flatMap((frame) => inCodePoints(frame));
    expect(said(read(empty, pieces))).toEqual(transcript);
    for (let cut = 0; cut <= pieces.length; cut += 1) {
      expect(said(read(read(empty, pieces.slice(0, cut)), frames))).toEqual(transcript);
    }
  });
});

/** The same text, one code point a frame. */
function inCodePoints(frame: Frame): Frame[] {
  const data = frame.data as { delta?: string };
  if (data.delta === undefined) return [frame];
  const [, stem, end] = /^(.*-)(\d+)$/.exec(frame.id) ?? [];
  const letters = Array.from(data.delta);
  return letters.map((delta, index) => ({
    id: `${stem}${Number(end) - letters.length + index + 1}`,
    data: Object.assign({}, data, { delta }),
  }));
}

function piece(id: string, delta: string): Frame {
  return { id, data: { type: "text-delta", id: "part-0", delta } };
}

describe("a stream", () => {
  const run = emptyTranscript("r");
  const start = { id: "r-0-0", data: { type: "text-start", id: "part-0" } };

  it("that lacks a piece is broken, and what was read holds", () => {
    const state = read(run, [start, piece("r-0-2", "ab")]);
    expect(() => read(state, [piece("r-0-5", "e")])).toThrow(BrokenStream);
    expect(read(state, [piece("r-0-5", "cde")]).parts).toEqual([{ kind: "text", text: "abcde" }]);
  });

  it("that lacks a part is broken", () => {
    expect(() => read(run, [{ id: "r-1-0", data: { type: "text-start", id: "part-1" } }])).toThrow(BrokenStream);
  });

  it.each(["{", "[1]", "7", '{"type":"text-delta","id":"part-0"}', '{"type":"start"}'])("is broken by %s", (data) => {
    expect(() => parseEvent(data)).toThrow(BrokenStream);
  });

  it.each(['{"type":"data-weather","data":1}', '{"type":"toString"}', '{"type":"tool-input-start"}', "{}"])(
    "passes over what the page does not know: %s",
    (data) => {
      expect(parseEvent(data)).toBeNull();
    },
  );

  it("keeps parts that did not change", () => {
    const thought = read(run, [{ id: "r-0-0", data: { type: "reasoning-start", id: "part-0" } }]);
    const before = read(thought, [{ id: "r-1-0", data: { type: "text-start", id: "part-1" } }]);
    const after = read(before, [{ id: "r-1-1", data: { type: "text-delta", id: "part-1", delta: "a" } }]);
    expect(after.parts[0]).toBe(before.parts[0]);
  });

  it("has ended once it said how", () => {
    expect(hasEnded(read(run, [start]))).toBe(false);
    expect(hasEnded(read(run, [{ id: "r-end-1", data: { type: "abort", reason: "Stopped." } }]))).toBe(true);
  });
});
