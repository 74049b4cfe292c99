"""What the search takes for a word. Pure: text in, tokens out, for what is indexed and for what is asked alike.

Alphabetic scripts put spaces between words, and a word is a token. Korean glues its particles on, and Chinese, Japanese
and Thai put no spaces at all, so there a run becomes its first character and its overlapping pairs (`모델을` → `모 모델
델을`), in which a phrase of pairs finds every substring, and one character is found by a token of its own.
"""

import re
from operator import add
from typing import NamedTuple
from unicodedata import is_normalized, normalize

MAX_WORD_CHARS = 64  # longer ones are encoded data; they are cut into tokens of this length
MAX_QUERY_CHARS = 500  # nobody types more; what is pasted is found by its beginning
MAX_QUERY_WORDS = 32  # SQLite's FTS5 takes a few hundred; each costs a look into the index
MIN_BEGINNING_CHARS = 3  # shorter beginnings stand for too many words

# Scripts that are read in pairs: Hangul, kana, bopomofo, Han, Thai, Lao, Burmese, Khmer; and pictures.
_DENSE = (
    "\u0e01-\u0e4e\u0e81-\u0ece\u1000-\u103f\u1050-\u109d\u1100-\u11ff\u1780-\u17d3\u2600-\u27bf\u2e80-\u2fdf\u3005-\u3007"
    "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u312f\u3131-\u318e\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua960-\ua97c\uac00-\ud7fb\uf900-\ufaff\U0001f000-\U0001faff\U00020000-\U0003ffff"
)
# Everything else that is a letter or a digit. The signs of India's scripts are part of the word, not between words.
_PLAIN = rf"(?:[^\W_{_DENSE}]|[\u0900-\u0963\u0966-\u0dff])"
_RUNS = re.compile(rf"([{_DENSE}]+)|({_PLAIN}{{1,{MAX_WORD_CHARS}}})")

_A_PLAIN = re.compile(_PLAIN)
_BETWEEN = r"[\W_]{0,16}?"  # signs between two runs of a phrase; more of them are no place to show

_NOT_LETTERS_OF_KOREAN = re.compile("[^\u3131-\u318e]+")  # NFKC would glue ㅋ and ㅏ, typed one by one, together
_ACCENTED = re.compile("[\u00c0-\u024f\u0300-\u036f\u0370-\u03ff\u1e00-\u1fff]+")  # Latin and Greek
# Accents, the points of Hebrew and Arabic, and what has no width. No word differs in these alone.
_UNSEEN = re.compile(
    "[\u00ad\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u064b-\u065f\u0670\u200b-\u200d\u2060\ufe00-\ufe0f\ufeff]+"
)


class Phrase(NamedTuple):
    """Tokens that stand next to each other. With `begins`, the last may go on: `mod` finds `models`."""

    tokens: tuple[str, ...]
    runs: tuple[str, ...]  # what was asked for, folded, without what was between
    begins: bool = False

    def place(self, folded: str, start: int = 0) -> int | None:
        """Where it begins in a folded text, from `start` on."""
        whole_before, whole_after = _is_plain(self.runs[0]), _is_plain(self.runs[-1]) and not self.begins
        for match in re.finditer(_BETWEEN.join(map(re.escape, self.runs)), folded[start:]):
            begin, end = start + match.start(), start + match.end()
            # Asked here and not by the pattern, which would take a millisecond to compile with all scripts in it.
            glued_before = whole_before and begin and _A_PLAIN.match(folded, begin - 1)
            if not glued_before and not (whole_after and _A_PLAIN.match(folded, end)):
                return begin
        return None


def fold(text: str) -> str:
    """`text` without the differences that a search overlooks: case, accents, width, ways to encode the same."""
    if text.isascii():
        return text.lower()
    if not is_normalized("NFKC", text):
        text = _NOT_LETTERS_OF_KOREAN.sub(lambda piece: normalize("NFKC", piece[0]), text)
    text = _ACCENTED.sub(lambda piece: normalize("NFD", piece[0]), text.casefold())
    return _UNSEEN.sub("", text)


def index_words(text: str) -> list[str]:
    """The tokens of a text, in the order of the text after those that stand for single characters.

    Equal texts have equal tokens: that is how they are taken out of the index again.
    """
    tokens: list[str] = []
    characters: set[str] = set()
    for dense, plain in _RUNS.findall(fold(text)):
        if plain:
            tokens.append(plain)
        else:
            tokens.append(dense[0])
            tokens.extend(map(add, dense, dense[1:]))
            characters.update(dense)
    return sorted(characters.difference(tokens)) + tokens


def query_words(query: str) -> list[Phrase]:
    """What must all occur in a text so that it is found. Empty if `query` has no letter, digit or picture in it.

    Whatever is between white space is one phrase, whichever signs are in it: any query is text, never syntax. The last
    word may still be being typed, so it also stands for the longer ones that begin with it.
    """
    words = [runs for word in fold(query[:MAX_QUERY_CHARS]).split() if (runs := _runs(word))][:MAX_QUERY_WORDS]
    phrases = [phrase for runs in words for phrase in _phrases(runs)]
    if phrases and _is_plain(last := phrases[-1].runs[-1]) and len(last) >= MIN_BEGINNING_CHARS:
        phrases[-1] = phrases[-1]._replace(begins=True)
    return list(dict.fromkeys(phrases))


def _phrases(runs: list[str]) -> list[Phrase]:
    """One phrase; two if the word begins with one character of a dense script, which may end a longer run there."""
    if len(runs) > 1 and len(runs[0]) == 1 and not _is_plain(runs[0]):
        return [*_phrases(runs[:1]), *_phrases(runs[1:])]
    tokens: list[str] = []
    for run in runs:
        if _is_plain(run) or len(run) == 1:
            tokens.append(run)
        else:
            # In the text, the token of its first character stands between a run and what is before it.
            tokens.extend([run[0]] if tokens else [])
            tokens.extend(map(add, run, run[1:]))
    return [Phrase(tuple(tokens), tuple(runs))]


def _runs(folded: str) -> list[str]:
    return [dense or plain for dense, plain in _RUNS.findall(folded)]


def _is_plain(run: str) -> bool:
    return _A_PLAIN.match(run) is not None
