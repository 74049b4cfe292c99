import { BrokenStream } from "@/transcript/events";

/** A place in a run's log, as an `id:` spells it. At the end, `part` is infinite. */
export interface Place {
  readonly part: number;
  /** Code points of that part that were read, not UTF-16 units; at the end, how much of it was told. */
  readonly offset: number;
}

const ID = /^[0-9a-z]+-(?:(\d{1,9})|end)-(\d{1,9})$/;

/** @throws {BrokenStream} it spells none. */
export function placeOf(id: string): Place {
  const match = ID.exec(id);
  if (!match) throw new BrokenStream(`${id} is no place.`);
  const [, part, offset] = match;
  return { part: part === undefined ? Infinity : Number(part), offset: Number(offset) };
}

/** Whether `place` lies after `other`. */
export function isAfter(place: Place, other: Place): boolean {
  return place.part === other.part ? place.offset > other.offset : place.part > other.part;
}

/** How many code points `text` has. */
export function codePoints(text: string): number {
  let count = text.length;
  for (let at = 0; at < text.length - 1; at += 1) {
    if (isHigh(text.charCodeAt(at)) && isLow(text.charCodeAt(at + 1))) {
      count -= 1;
      at += 1;
    }
  }
  return count;
}

/** `text` without its first `count` code points. */
export function afterCodePoints(text: string, count: number): string {
  let at = 0;
  for (let left = count; left > 0 && at < text.length; left -= 1) {
    at += isHigh(text.charCodeAt(at)) && isLow(text.charCodeAt(at + 1)) ? 2 : 1;
  }
  return text.slice(at);
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}
