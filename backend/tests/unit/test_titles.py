"""Titles: the first words as one line, and what can be used of what a model says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.titles import MAX_TITLE_CHARS, MAX_WORDS_CHARS, clean, first_words


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Hello", "Hello"),
        ("  Two\n\nlines\t here ", "Two lines here"),
        ("word " * 40, "word " * 10 + "word…"),
        ("가" * 100, "가" * 59 + "…"),
        ("한 문장 " * 30, "한 문장 " * 11 + "한…"),
    ],
)
def test_the_first_words_are_one_short_line(text: str, title: str) -> None:
    words = first_words(text)
    assert len(words) <= MAX_WORDS_CHARS
    assert words == title


@given(st.text(max_size=400))
def test_whatever_is_asked_its_first_words_are_a_line_of_it(text: str) -> None:
    words = first_words(text)
    assert len(words) <= MAX_WORDS_CHARS
    assert "\n" not in words
    assert " ".join(text.split()).startswith(words.removesuffix("…"))
    assert bool(words) == bool(text.split())


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("Three Colours", "Three Colours"),
        ('"Three Colours."', "Three Colours"),
        ("Title: Three Colours", "Three Colours"),
        ("**제목: 서울 여행**", "서울 여행"),
        ("# 서울 여행\n\n어쩌고저쩌고", "서울 여행"),
        ("\n\n  「東京」 \n", "東京"),
        ("<b>Bold</b>", "b>Bold</b"),
        ("", ""),
        ("\n \n", ""),
        ("x" * (MAX_TITLE_CHARS + 1), ""),
        ("What is 3.5?", "What is 3.5?"),
    ],
)
def test_a_title_is_what_is_left_of_a_first_line(said: str, title: str) -> None:
    assert clean(said) == title
