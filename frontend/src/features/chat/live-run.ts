import type { Link, RunReader } from "@/api/runs";
import type { Frame } from "@/api/stream";
import { parseEvent } from "@/transcript/events";
import { reduce } from "@/transcript/reduce";
import { emptyTranscript, type Transcript } from "@/transcript/transcript";

const HIDDEN_FRAME = 250; // milliseconds; a hidden page is given no animation frames, and nobody sees it

/** A run as it is read, and the way to it. */
export interface RunView {
  readonly transcript: Transcript;
  readonly link: Link;
}

/** One run that is being read. What arrives between two animation frames is shown at once. */
export class LiveRun implements RunReader {
  readonly #listeners = new Set<() => void>();
  #shown: RunView;
  #transcript: Transcript;
  #link: Link = "open";
  #cancelShow: (() => void) | null = null;

  constructor(runId: string) {
    this.#transcript = emptyTranscript(runId);
    this.#shown = { transcript: this.#transcript, link: this.#link };
  }

  /** All that was read, shown or not. */
  get transcript(): Transcript {
    return this.#transcript;
  }

  /** As it was at the last animation frame. */
  get view(): RunView {
    return this.#shown;
  }

  onFrames(frames: readonly Frame[]): void {
    this.#showSoon();
    for (const { id, data } of frames) {
      const event = parseEvent(data);
      if (event) this.#transcript = reduce(this.#transcript, id, event);
    }
  }

  onLink(link: Link): void {
    this.#link = link;
    this.#showSoon();
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #showSoon(): void {
    if (this.#cancelShow) return;
    const frame = requestAnimationFrame(() => this.#show());
    const timer = setTimeout(() => this.#show(), HIDDEN_FRAME);
    this.#cancelShow = () => {
      cancelAnimationFrame(frame);
      clearTimeout(timer);
    };
  }

  #show(): void {
    this.#cancelShow?.();
    this.#cancelShow = null;
    if (this.#shown.transcript === this.#transcript && this.#shown.link === this.#link) return;
    this.#shown = { transcript: this.#transcript, link: this.#link };
    for (const listener of this.#listeners) listener();
  }
}
