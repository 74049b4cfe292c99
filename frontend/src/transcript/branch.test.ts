import { describe, expect, it } from "vitest";
import { joinAbove, joinEnd, type Branch } from "@/transcript/branch";

interface Message {
  id: string;
  parent_id: string | null;
  text: string;
}

/** Messages called by single letters, each following the one before. */
function branch(names: string, { parent = null, next = null }: Partial<Record<"parent" | "next", string | null>> = {}): Branch<Message> {
  const items = Array.from(names, (id, at) => ({ id, parent_id: at === 0 ? parent : (names[at - 1] ?? null), text: id }));
  return { items, next };
}

function names({ items }: Branch<Message>): string {
  return items.map(({ id }) => id).join("");
}

describe("the end of a branch, read again", () => {
  it("is the branch, where nothing was known", () => {
    expect(joinEnd(undefined, branch("ab"))).toEqual(branch("ab"));
  });

  it("keeps what is above it", () => {
    const joined = joinEnd(branch("cdef", { parent: "b", next: "c" }), branch("efgh", { parent: "d", next: "e" }));
    expect(names(joined)).toBe("cdefgh");
    expect(joined.next).toBe("c");
  });

  it("replaces what another branch has in its place", () => {
    expect(names(joinEnd(branch("abcd"), branch("bx", { parent: "a", next: "b" })))).toBe("abx");
  });

  it("goes on from the message before it, where it does not hold one that is known", () => {
    expect(names(joinEnd(branch("abcd"), branch("xy", { parent: "b", next: "x" })))).toBe("abxy");
  });

  it("leaves no hole: what does not join is read anew from the end", () => {
    const page = branch("xyz", { parent: "w", next: "x" });
    expect(joinEnd(branch("abcd"), page)).toEqual(page);
  });

  it("keeps the identity of every message that says the same", () => {
    const known = branch("abc");
    const page = branch("abcd");
    const said = page.items.map((item) => (item.id === "c" ? Object.assign({}, item, { text: "C" }) : item));
    const joined = joinEnd(known, { ...page, items: said });
    expect(joined.items.map((item, at) => item === known.items[at])).toEqual([true, true, false, false]);
  });

  it("may be empty", () => {
    expect(joinEnd(branch("ab"), branch(""))).toEqual(branch(""));
  });
});

describe("the page above", () => {
  it("is put before what is known", () => {
    const joined = joinAbove(branch("cd", { parent: "b", next: "c" }), branch("ab"));
    expect(joined).toEqual(branch("abcd"));
  });

  it("is left out where another branch is shown by now, or it is there already", () => {
    const known = branch("xy", { parent: "w", next: "x" });
    expect(joinAbove(known, branch("ab"))).toBe(known);
    expect(joinAbove(branch("abcd"), branch("ab"))).toEqual(branch("abcd"));
  });
});
