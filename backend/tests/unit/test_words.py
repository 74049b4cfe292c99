"""What the search takes for a word, and what it shows of a text."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.store.snippet import SNIPPET_CHARS, snippet
from app.store.tables import SEARCH_INDEX
from app.store.words import MAX_QUERY_CHARS, MAX_WORD_CHARS, index_words, query_words

SYLLABLES = st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3)
KOREAN = st.text(st.sampled_from("가나다라마") | SYLLABLES, min_size=1, max_size=12)
MIXED = st.lists(st.sampled_from(["GPT", "3", "é", "ㅋㅋ", "日本", "😀", "-", "ﬁ", "…"]) | KOREAN | st.text(max_size=6))
WORDS = st.sampled_from(["모델", "모", "GPT", "gpt모델", "날씨가", "3시", "news", "OR", '"', "*", "don't", "가나다"])


def index_of(*texts: str) -> sqlite3.Connection:
    """FTS5 with the texts in it, numbered from 0."""
    index = sqlite3.connect(":memory:")
    index.execute(SEARCH_INDEX)
    rows = [(number, " ".join(index_words(text))) for number, text in enumerate(texts)]
    index.executemany("INSERT INTO search_index (rowid, words) VALUES (?, ?)", rows)
    return index


def asked(index: sqlite3.Connection, query: str) -> list[int]:
    """The numbers that FTS5 finds for a query."""
    phrases = query_words(query)
    if not phrases:
        return []
    match = " AND ".join(f'"{" ".join(phrase.tokens)}"{"*" * phrase.begins}' for phrase in phrases)
    found = index.execute("SELECT rowid FROM search_index WHERE search_index MATCH ? ORDER BY rowid", (match,))
    return [number for (number,) in found]


def finds(query: str, text: str) -> bool:
    with closing(index_of(text)) as index:
        return asked(index, query) == [0]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("모", "언어 모델을 만듭니다"),
        ("델", "언어 모델을 만듭니다"),
        ("을", "언어 모델을 만듭니다"),
        ("모델", "언어 모델을 만듭니다"),
        ("모델을 언어", "언어 모델을 만듭니다"),
        ("ㅋ", "그래 ㅋㅋㅋ"),
        ("ㅏ", "자모 ㅎㅏ"),
        ("하세", "안녕하세요"),
        ("한글", "\u1112\u1161\u11ab\u1100\u1173\u11af"),  # written letter by letter, as some systems name files
        ("gpt모델", "새 GPT모델이 나왔다"),
        ("GPT모", "새 GPT모델이 나왔다"),
        ("모델gpt", "그모델GPT는"),
        ("델gpt", "그모델GPT는"),
        ("3시", "오후 3시에 만나"),
        ("제2", "어제2차로"),
        ("RÉSUMÉ", "my resume"),
        ("resume", "mein Résumé"),
        ("straße", "STRASSE"),
        ("istanbul", "İstanbul"),
        ("ＡＢＣ", "abc"),
        ("fine", "ﬁne"),
        ("don't", "I don't know"),
        ("foo-bar", "foo_bar"),
        ("C++", "c"),
        ("mod", "many models"),
        ("many mod", "many models"),
        ("日本", "東日本語"),
        ("本", "東日本語"),
        ("カー", "サッカーを"),
        ("ไทย", "ภาษาไทย"),
        ("हिन्दी", "यह हिन्दी है"),
        ("😀", "good 😀👍"),
        ("👍", "good 😀👍"),
        ("❤️", "I ❤ you"),
        ('"OR" NEAR(', "or near"),
        ("a\x00b", "a b"),
    ],
)
def test_it_is_found(query: str, text: str) -> None:
    assert finds(query, text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("가나다", "가나 나다"),
        ("모델이", "모델 이야기"),
        ("odel", "models"),
        ("mo", "models"),
        ("mod many", "many models"),
        ("모델 그림", "언어 모델"),
        ("모델 OR 그림", "언어 모델"),
        ("-모델", "그림"),
        ("모*", "그림"),
        ("ㅎ", "하"),
        ("", "a"),
        ("…!?", "…!?"),
        ("\x00", "\x00"),
        ("\ud800", "\ud800"),
    ],
)
def test_it_is_not_found(query: str, text: str) -> None:
    assert not finds(query, text)


@given(st.data())
def test_every_part_of_a_korean_text_finds_it(data: st.DataObject) -> None:
    text = " ".join(data.draw(st.lists(KOREAN, min_size=1, max_size=4)))
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    part = text[start:end]
    assert finds(part, text) or not part.strip()


@given(st.data())
def test_every_part_of_a_korean_word_among_other_scripts_finds_it(data: st.DataObject) -> None:
    word = data.draw(KOREAN)
    start = data.draw(st.integers(0, len(word) - 1))
    end = data.draw(st.integers(start + 1, len(word)))
    around = data.draw(
        st.tuples(st.sampled_from(["", "GPT", "3", "日本", " "]), st.sampled_from(["", "GPT", "3", "は"]))
    )
    assert finds(word[start:end], word.join(around))


@given(st.lists(KOREAN, min_size=1, max_size=3).map("".join), st.lists(KOREAN, min_size=1, max_size=3).map(" ".join))
def test_a_korean_word_finds_only_texts_in_which_it_stands(query: str, text: str) -> None:
    assert finds(query, text) == (query in text)


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_query_is_text(query: str, text: str) -> None:
    with closing(index_of(text)) as index:
        asked(index, query)
        assert asked(index, text) == ([0] if query_words(text) else []), "a text finds itself"


@given(MIXED.map("".join))
def test_a_text_finds_itself_whatever_is_mixed_in_it(text: str) -> None:
    assert finds(text, text) == bool(query_words(text))


@given(st.lists(st.text(max_size=40) | MIXED.map(" ".join), max_size=4))
def test_what_was_taken_out_leaves_nothing(texts: list[str]) -> None:
    with closing(index_of(*texts)) as index:
        rows = [(number, " ".join(index_words(text))) for number, text in enumerate(texts)]
        index.executemany("INSERT INTO search_index (search_index, rowid, words) VALUES ('delete', ?, ?)", rows)
        index.execute("INSERT INTO search_index (search_index) VALUES ('optimize')")
        index.execute("CREATE VIRTUAL TABLE terms USING fts5vocab(search_index, row)")
        assert index.execute("SELECT * FROM terms").fetchall() == []


@given(st.text(max_size=60) | MIXED.map(" ".join))
def test_a_token_is_one_to_the_index(text: str) -> None:
    """FTS5's tokenizer takes what it is handed apart at white space, and nowhere else."""
    tokens = index_words(text)
    with closing(index_of(text)) as index:
        index.execute("CREATE VIRTUAL TABLE terms USING fts5vocab(search_index, instance)")
        assert [term for (term,) in index.execute("SELECT term FROM terms ORDER BY offset")] == tokens


def test_what_is_endless_has_an_end() -> None:
    assert {len(token) for token in index_words("A" * 10_000)} == {MAX_WORD_CHARS, 10_000 % MAX_WORD_CHARS}
    assert finds("A" * MAX_QUERY_CHARS, "a" * 10_000)
    assert finds("가나다" * MAX_QUERY_CHARS, "가나다" * MAX_QUERY_CHARS)
    assert finds("word " * 10_000, "word")
    assert finds(" ".join(map(str, range(100, 10_000))), " ".join(map(str, range(100, 10_000))))


# ── Snippets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def shown(text: str, query: str) -> str:
    return snippet(text, query_words(query))


def test_a_short_text_is_shown_whole_with_its_white_space_folded() -> None:
    assert shown("  Hello,\n\n\tworld ", "world") == "Hello, world"


@pytest.mark.parametrize("filler", ["word ", "낱말 ", "\n", "가", "İ", "ß ", "ﷺ", "e\u0301 ", "👨‍👩‍👧", "❤️ "])
@pytest.mark.parametrize("hit", ["모델", "Résumé", "GPT모델"])
def test_a_hit_late_in_a_long_text_is_shown(filler: str, hit: str) -> None:
    text = f"{filler * 3000} {hit} {filler * 500}"
    piece = shown(text, hit)
    assert hit in piece
    assert len(piece) <= SNIPPET_CHARS + 2
    if filler.strip():
        assert (piece[0], piece[-1]) == ("…", "…")


def test_a_hit_is_a_whole_word_where_words_are() -> None:
    piece = shown("catalogue " * 100 + "a cat at last " + "catalogue " * 100, "cat nothing")
    assert " a cat at last " in piece
    assert " a cat at last " in shown("concat " * 2000 + "a cat at last " + "concat " * 100, "cat")


def test_the_longest_word_is_shown() -> None:
    assert "embeddings" in shown("the " * 200 + "embeddings", "the embeddings")


def test_a_cut_falls_between_words() -> None:
    piece = shown("beginning " * 40 + "needle " + "beginning " * 40, "needle")
    assert set(piece.strip("…").split()) == {"beginning", "needle"}


@given(st.text(st.sampled_from("가e\u0301👨\u200d👩👍🏽❤\ufe0f"), min_size=200, max_size=300))
def test_a_cut_parts_no_character_from_what_clings_to_it(text: str) -> None:
    piece = shown(text, "가")
    assert all(not edge.startswith(("\u0301", "\u200d", "\ufe0f", "🏽")) for edge in clusters(text, piece))


def clusters(text: str, piece: str) -> Iterator[str]:
    """What stands at the two cuts: the begin of the piece, and the begin of what was left out behind it."""
    inner = piece.strip("…")
    composed = normalize("NFC", text)
    if piece.startswith("…"):
        yield inner
    if piece.endswith("…"):
        yield composed[composed.index(inner) + len(inner) :]


@given(st.text(max_size=400), WORDS)
def test_whatever_is_shown_is_short_and_from_the_text(text: str, query: str) -> None:
    piece = shown(text, query)
    assert len(piece) <= SNIPPET_CHARS + 2
    assert piece.strip("…") in " ".join(normalize("NFC", text).split())
