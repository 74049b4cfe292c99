import { isHidden } from "@/lib/visibility";

const SILENCE = 37_500; // milliseconds: two and a half keepalives of the service's 15 s
const HIDDEN = 20_000; // milliseconds; who only glances at another tab keeps the connection

/** Why a connection was let go, where it did not end by itself. */
export type LetGo = "silent" | "hidden";

/**
 * Watches one connection, and aborts it where it is dead without saying so, or where nobody looks. A browser has six
 * for each origin, and a phone that was locked does not know that its connections have died.
 */
export class ConnectionGuard {
  readonly #controller = new AbortController();
  readonly #listeners = new AbortController();
  #silence: ReturnType<typeof setTimeout> | undefined;
  #hidden: ReturnType<typeof setTimeout> | undefined;
  #hiddenAt: number | null = null;
  /** Null while it is held. */
  letGo: LetGo | null = null;

  constructor(signal: AbortSignal) {
    if (signal.aborted) this.#controller.abort(signal.reason);
    signal.addEventListener("abort", () => this.#controller.abort(signal.reason), { signal: this.#listeners.signal });
    this.heard();
  }

  /** From here on it may be let go while nobody looks, since nothing is lost by that. */
  mayRest(): void {
    document.addEventListener("visibilitychange", () => this.#looked(), { signal: this.#listeners.signal });
    this.#looked();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Something arrived. */
  heard(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#end("silent"), SILENCE);
  }

  /** The connection has ended. */
  close(): void {
    clearTimeout(this.#silence);
    clearTimeout(this.#hidden);
    this.#listeners.abort();
    this.#controller.abort();
  }

  #looked(): void {
    clearTimeout(this.#hidden);
    if (isHidden()) {
      this.#hiddenAt ??= Date.now();
      this.#hidden = setTimeout(() => this.#end("hidden"), HIDDEN);
    } else {
      // A sleeping machine stops the timers too: the clock tells that it was away.
      if (this.#hiddenAt !== null && Date.now() - this.#hiddenAt >= HIDDEN) this.#end("hidden");
      this.#hiddenAt = null;
    }
  }

  #end(why: LetGo): void {
    this.letGo ??= why;
    this.#controller.abort();
  }
}
