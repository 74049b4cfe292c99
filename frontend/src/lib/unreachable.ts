/** For the `default` of a `switch` that has a case for everything: the compiler sees to it that this is never called. */
export function unreachable(value: never): never {
  throw new Error(`There is no case for ${JSON.stringify(value)}.`);
}
