const KEPT = "preferences"; // how the page looks is not anybody's secret

/** Forget what this browser keeps of a person: drafts, questions on their way. Only the preferences stay. */
export function forgetPerson(): void {
  for (const storage of [localStorage, sessionStorage]) {
    for (const name of Object.keys(storage)) {
      if (name !== KEPT) storage.removeItem(name);
    }
  }
}
