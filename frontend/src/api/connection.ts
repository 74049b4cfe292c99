import { create } from "zustand";

export interface Connection {
  /** Whether the last request was answered by the service. */
  reached: boolean;
  /** Of whoever signed in: `ended` once the service no longer knows them. Without accounts it stays `none`. */
  session: "none" | "open" | "ended";
}

/** What the requests of this page have shown about the way to the service. Requests tell it; `app/` draws it. */
export const useConnection = create<Connection>()(() => ({ reached: true, session: "none" }));

export function setReached(reached: boolean): void {
  if (useConnection.getState().reached !== reached) useConnection.setState({ reached });
}

/** Somebody is signed in. */
export function sessionOpened(): void {
  useConnection.setState({ session: "open" });
}

/** A request was refused because nobody is signed in; that ends a session if there was one. */
export function sessionRefused(): void {
  if (useConnection.getState().session === "open") useConnection.setState({ session: "ended" });
}
