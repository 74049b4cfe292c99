"""Text like that of conversations: Korean and English words, few of them often, many rarely, always the same."""

from itertools import accumulate
from random import Random

SYLLABLES = 1200  # about as many as everyday Korean uses
WORDS = 40_000
PARTICLES = ("을", "를", "이", "가", "은", "는", "에서", "으로", "", "", "")
LETTERS = "etaoinshrdlucmfwygpbvk"

# Planted words. Of the first two pairs each message of the asker has one, of the third both, apart.
APART = ("밤하늘", "새벽길")
BEGINNING = ("xyzone", "xyztwo")
NEVER_TOUCHING = ("강산", "산들")  # 강산들 is nowhere
ELSEWHERE = "foreign"  # in every message of everyone else
ONCE = "처음처럼만"  # in the oldest message
LAST = "마침내끝"  # at the ends of very long ones


class Corpus:
    """A source of text. The same seed gives the same text."""

    def __init__(self, seed: int = 20) -> None:
        self._random = Random(seed)  # noqa: S311 - nobody guesses at a benchmark
        blocks = [chr(0xAC00 + number) for number in self._random.sample(range(11_172), SYLLABLES)]
        self.syllables = blocks  # the most frequent first, and so the words
        self._syllable_weights = list(accumulate(1 / (rank + 3) for rank in range(SYLLABLES)))
        self._letter_weights = list(accumulate(1 / (rank + 2) for rank in range(len(LETTERS))))
        self.words = [self._korean() if rank % 5 < 3 else self._english() for rank in range(WORDS)]
        self._word_weights = list(accumulate(1 / (rank + 5) for rank in range(WORDS)))
        self.korean = [word for word in self.words if not word.isascii()]
        self.english = [word for word in self.words if word.isascii()]

    def sentence(self, words: int) -> str:
        """Some words."""
        chosen = self._random.choices(self.words, cum_weights=self._word_weights, k=words)
        return " ".join(word if word.isascii() else word + self._random.choice(PARTICLES) for word in chosen)

    def question(self) -> str:
        """What a person asks: a dozen words, give or take."""
        return self.sentence(1 + int(self._random.lognormvariate(2.5, 0.8)))

    def answer(self) -> str:
        """What a model says: some sixty words, sometimes hundreds."""
        return self.sentence(1 + int(self._random.lognormvariate(4.2, 0.8)))

    def text(self, characters: int) -> str:
        """Text of this length."""
        return self.sentence(characters // 2)[:characters]

    def choice(self, words: list[str], first: int, last: int) -> str:
        """One of these ranks, all alike."""
        return words[self._random.randrange(first, min(last, len(words)))]

    def share(self) -> float:
        """A number from 0 to 1."""
        return self._random.random()

    def _korean(self) -> str:
        length = self._random.choice((1, 2, 2, 2, 3, 3, 4))
        return "".join(self._random.choices(self.syllables, cum_weights=self._syllable_weights, k=length))

    def _english(self) -> str:
        length = self._random.choice((2, 3, 4, 5, 5, 6, 7, 8, 9))
        return "".join(self._random.choices(LETTERS, cum_weights=self._letter_weights, k=length))
