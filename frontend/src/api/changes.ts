import type { QueryClient } from "@tanstack/react-query";
import { applyChange, readAnew, type Change } from "@/api/change-cache";
import { listen } from "@/api/change-stream";
import { isHidden } from "@/lib/visibility";

const NAME = "changes";
const HIDDEN = 20_000; // milliseconds; who only glances at another tab goes on listening
const DEAF = 50_000; // milliseconds without a sign of the tab that listens: three of the service's keepalives

/** What one tab tells the others: a change, or that it is still there. */
type Told = { number: number; change: Change } | { alive: true };

/**
 * Hear what happens to this person's conversations, in this tab and others, and put it into the cache. Call once.
 *
 * One visible tab of all listens to the service, since a browser has six connections for each origin; the others hear
 * it from that tab. A page served over plain HTTP from another machine has no locks: there every visible tab listens.
 *
 * @returns what ends it.
 */
export function startChanges(queries: QueryClient): () => void {
  return new Listener(queries).start();
}

class Listener {
  readonly #queries: QueryClient;
  readonly #channel = new BroadcastChannel(NAME);
  readonly #end = new AbortController();
  /** The last number that was heard; null: none yet. */
  #number: number | null = null;
  /** Of the turn in which this tab listens to the service itself. */
  #listening: AbortSignal | null = null;
  /** Ends this tab's turn, or its place in the queue. */
  #turn: AbortController | null = null;
  #hidden: ReturnType<typeof setTimeout> | undefined;
  #deaf: ReturnType<typeof setTimeout> | undefined;

  constructor(queries: QueryClient) {
    this.#queries = queries;
  }

  start(): () => void {
    this.#channel.addEventListener("message", ({ data }: MessageEvent<Told>) => this.#told(data));
    document.addEventListener("visibilitychange", () => this.#looked(), { signal: this.#end.signal });
    this.#looked();
    return () => {
      this.#end.abort();
      this.#rest();
      clearTimeout(this.#hidden);
      this.#channel.close();
    };
  }

  #looked(): void {
    clearTimeout(this.#hidden);
    if (isHidden()) this.#hidden = setTimeout(() => this.#rest(), HIDDEN);
    else if (!this.#turn) this.#queue(false);
  }

  /** Nobody looks: let another tab listen. What happens meanwhile is heard by its number. */
  #rest(): void {
    clearTimeout(this.#deaf);
    this.#turn?.abort();
    this.#turn = null;
  }

  /** Wait for this tab's turn, and listen. With `steal`, at once: the tab that has the lock does not live any more. */
  #queue(steal: boolean): void {
    this.#turn?.abort();
    const turn = new AbortController();
    this.#turn = turn;
    const listening = () => this.#listen(turn.signal);
    // The library's type says it is always there; over plain HTTP it is not.
    const locks = navigator.locks as LockManager | undefined;
    if (!locks) {
      void listening();
      return;
    }
    this.#expectSign();
    const options: LockOptions = steal ? { steal } : { signal: turn.signal };
    locks.request(NAME, options, listening).catch(() => {
      if (this.#turn === turn) this.#rest(); // another tab took it for dead
      if (!isHidden() && !this.#turn && !this.#end.signal.aborted) this.#queue(false);
    });
  }

  async #listen(signal: AbortSignal): Promise<void> {
    clearTimeout(this.#deaf);
    this.#listening = signal;
    const hear = {
      onSign: () => this.#tell({ alive: true }),
      onChange: (number: number, change: Change) => {
        this.#tell({ number, change });
        this.#hear(number, change);
      },
    };
    await listen(() => this.#number, hear, signal);
    if (this.#listening === signal) this.#listening = null;
  }

  #tell(data: Told): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows; a channel has one origin
    if (!this.#end.signal.aborted) this.#channel.postMessage(data);
  }

  #told(data: Told): void {
    if (this.#turn && !this.#listening) this.#expectSign();
    if ("change" in data) this.#hear(data.number, data.change);
  }

  #hear(number: number, change: Change): void {
    const isFirst = this.#number === null;
    if (change.type === "reset" || (change.type === "ready" && isFirst)) {
      this.#number = number;
      readAnew(this.#queries); // what happened before this tab listened was told to nobody
      return;
    }
    if (this.#number !== null && number <= this.#number) return;
    this.#number = number;
    applyChange(this.#queries, change);
  }

  #expectSign(): void {
    clearTimeout(this.#deaf);
    this.#deaf = setTimeout(() => !isHidden() && this.#queue(true), DEAF);
  }
}
