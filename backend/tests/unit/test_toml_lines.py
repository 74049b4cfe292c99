"""Where something stands in a TOML document: the line on which its statement begins."""

import pytest

from app.providers.toml_lines import Place, line_of

DOCUMENT = '''# a comment
default = "a/b"

[providers.a]
base_url = "x"
only = [
    "one",  # a comment ]
    "two",
]
text = """
[providers.b]
"""

[models]
"a/b" = { note = "n", fallbacks = ["c/d"] }
"e/f".name = "dotted"

[models."g/h"]


note = "last"'''


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("default",), 2),
        (("providers",), 4),
        (("providers", "a"), 4),
        (("providers", "a", "base_url"), 5),
        (("providers", "a", "only"), 6),
        (("providers", "a", "only", 1), 6),
        (("providers", "a", "text"), 10),
        (("models", "a/b", "fallbacks", 0), 15),
        (("models", "e/f", "name"), 16),
        (("models", "g/h"), 18),
        (("models", "g/h", "note"), 21),
        (("models", "g/h", "missing"), 18),
        (("providers", "a", "only", 9), 6),
        (("nothing", "here"), 1),
        ((), 1),
    ],
)
def test_the_line_is_the_one_on_which_the_statement_begins(place: Place, line: int) -> None:
    assert line_of(DOCUMENT.split("\n"), place) == line


def test_a_long_document_is_searched_quickly() -> None:
    lines = [f"[models.m{number}]\nnote = '{number}'" for number in range(1000)]
    assert line_of("\n".join(lines).split("\n"), ("models", "m777", "note")) == 1556


def test_a_document_of_one_statement_has_one_line() -> None:
    assert line_of(["x = [", *["1,"] * 500, "]"], ("x", 499)) == 1
