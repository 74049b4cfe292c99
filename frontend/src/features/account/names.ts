export const MAX_NAME_CHARS = 64;
export const MAX_PASSWORD_CHARS = 256;
const LEAST_PASSWORD_CHARS = 8;

/** Whether the service takes `name` as that of a new account. */
export function isName(name: string): boolean {
  return /^[\p{L}\p{N}_.@+-]+$/u.test(name);
}

/** Whether `password` is long enough, in characters as people count them. */
export function isPassword(password: string): boolean {
  return Array.from(password).length >= LEAST_PASSWORD_CHARS;
}
