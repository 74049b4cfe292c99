import { expect, test } from "vitest";
import { marked } from "@/features/conversations/marks";

/** The marked text, with the hits in brackets. */
function shown(text: string, query: string): string {
  return marked(text, query)
    .map(({ text, hit }) => (hit ? `[${text}]` : text))
    .join("");
}

test.each([
  ["Models of models", "model", "[Model]s of [model]s"],
  ["remodel", "model", "remodel"],
  ["언어 모델을 만드는 법", "모델", "언어 [모델]을 만드는 법"],
  ["몬스터", "모", "몬스터"],
  ["모델을Python으로", "python", "모델을[Python]으로"],
  ["Ein Café, ein cafe\u0301", "CAFE", "Ein [Café], ein [cafe\u0301]"],
  ["a.b (c) [d]", "(c) a.b", "[a.b] ([c]) [d]"],
  ["서울 궁궐 서울", "서울 궁", "[서울] [궁]궐 [서울]"],
  ["ＡＢＣ　１２３", "abc 123", "[ＡＢＣ]　[１２３]"],
  ["text", "   ", "text"],
  ["", "word", ""],
  ["<img src=x onerror=alert(1)>", "img", "<[img] src=x onerror=alert(1)>"],
  ["🎉 party", "🎉", "[🎉] party"],
])("%j, looked for %j", (text, query, expected) => {
  expect(shown(text, query)).toBe(expected);
});

test("the pieces together are the text", () => {
  const text = "ﬁne ﬁsh İstanbul \u{1f469}\u200d\u{1f680} ①②";
  for (const query of ["f", "fi", "i", "1", "istanbul"]) {
    expect(
      marked(text, query)
        .map((piece) => piece.text)
        .join(""),
    ).toBe(text);
  }
});
