"""A cursor is a place in the text, and nothing but a cursor is taken for one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import Clock
from app.cursor import Cursor
from app.errors import BadCursor

RUN = "01kandgz1m5d9ryt3ek2yqv8p4"
RUNS = st.text("0123456789abcdefghijklmnopqrstuvwxyz", min_size=26, max_size=26)
NUMBERS = st.integers(0, 999_999_999)
CURSORS = st.builds(Cursor, RUNS, NUMBERS, NUMBERS) | st.builds(Cursor, RUNS, told=st.sampled_from([1, 2]))


@given(CURSORS)
def test_a_cursor_is_read_back_as_the_place_it_was(cursor: Cursor) -> None:
    assert Cursor.parse(str(cursor)) == cursor


@given(CURSORS)
def test_a_browser_may_send_any_cursor_back_without_a_preflight(cursor: Cursor) -> None:
    assert re.fullmatch(r"[0-9a-z-]{1,64}", str(cursor))


def test_ids_of_runs_are_opaque_and_fit_a_cursor() -> None:
    clock = Clock()
    ids = [clock.new_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(re.fullmatch(r"[0-9a-z]{26}", each) and Cursor.parse(f"{each}-0-0").run_id == each for each in ids)


@pytest.mark.parametrize(
    ("text", "cursor"),
    [
        (f"{RUN}-0-0", Cursor(RUN)),
        (f"{RUN}-1-23", Cursor(RUN, 1, 23)),
        (f"{RUN}-end-1", Cursor(RUN, told=1)),
        (f"{RUN}-end-2", Cursor(RUN, told=2)),
    ],
)
def test_cursors_look_as_the_contract_says(text: str, cursor: Cursor) -> None:
    assert (Cursor.parse(text), str(cursor)) == (cursor, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "-1",
        "1e3",
        "\0",
        "' OR 1=1--",
        "9" * 10_000,
        RUN,
        f"{RUN}-",
        f"{RUN}-0",
        f"{RUN}-0-",
        f"{RUN}-0-0-0",
        f"{RUN}-00-1",
        f"{RUN}-0-01",
        f"{RUN}-0--1",
        f"{RUN}-0-+1",
        f"{RUN}-0-1.0",
        f"{RUN}-0-1_0",
        f"{RUN}-0-١",
        f"{RUN}-0-1000000000",
        f"{RUN}-end-0",
        f"{RUN}-end-3",
        f"{RUN}-end-",
        f"{RUN}-END-2",
        f"{RUN[:-1]}-0-0",
        f"{RUN}0-0-0",
        f"{RUN.upper()}-0-0",
        f" {RUN}-0-0",
        f"{RUN}-0-0 ",
        f"{RUN}-0-0\n",
        f"{RUN}-end-2\n",
        f"{RUN}:0:0",
    ],
)
def test_what_is_no_cursor_is_refused_and_never_taken_for_the_start(text: str) -> None:
    with pytest.raises(BadCursor):
        Cursor.parse(text)


@given(st.text() | st.from_regex(r"[0-9a-z]{20,30}-[0-9a-z-]{0,20}\n?", fullmatch=True))
def test_whatever_is_sent_is_a_cursor_that_spells_itself_or_is_refused(text: str) -> None:
    try:
        cursor = Cursor.parse(text)
    except BadCursor:
        return
    assert str(cursor) == text
