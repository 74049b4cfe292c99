const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/**
 * A new `Idempotency-Key`: 128 random bits, one per click of a person, kept across every retry of that click.
 * Not `crypto.randomUUID`, which a page served over plain HTTP from another machine does not have.
 */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(26));
  return Array.from(bytes, (byte) => ALPHABET[byte % 32]).join("");
}
