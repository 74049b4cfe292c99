/** The shape of a bundle of words: every key of the English, with other words. */
export type Words<T> = { [K in keyof T]: T[K] extends string ? string : Words<T[K]> };
