const MOST_TEMPERATURE = 2;
const MOST_TOKENS = 1_000_000;

/** A temperature as it was typed; null: none, the model's own; undefined: it is not one. A comma counts as a point. */
export function readTemperature(text: string): number | null | undefined {
  return read(text.replace(",", "."), (value) => value >= 0 && value <= MOST_TEMPERATURE);
}

/** A number of tokens as it was typed, also with separators; null and undefined as above. */
export function readMaxTokens(text: string): number | null | undefined {
  return read(text.replaceAll(/[,\s_]/g, ""), (value) => Number.isInteger(value) && value >= 1 && value <= MOST_TOKENS);
}

function read(text: string, isGood: (value: number) => boolean): number | null | undefined {
  const bare = text.trim();
  if (bare === "") return null;
  const value = /^\d*\.?\d+$/.test(bare) ? Number(bare) : Number.NaN;
  return isGood(value) ? value : undefined;
}
