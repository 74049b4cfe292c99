"""Content that comes in parts, as standard clients send it: of text, one text; anything else is refused by its name."""

from collections.abc import Mapping
from typing import Any, cast

from pydantic_core import PydanticCustomError

from app.models import storable

UNSUPPORTED = "unsupported_parameter"  # the code of a refusal that names what cannot be done
SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"type": {"const": "text"}, "text": {"type": "string"}},
                "required": ["type", "text"],
            },
        },
        {"type": "null"},
    ]
}


def refusal(why: str) -> PydanticCustomError:
    """What a validator raises where a client asks for what cannot be done."""
    return PydanticCustomError(UNSUPPORTED, "{why}", {"why": why})


def joined(content: object, others: Mapping[str, str]) -> object:
    """`content` as one text; `others`: the parts that are known and not taken, by their types.

    Raises:
        PydanticCustomError: it holds a part that is no text.
    """
    if not isinstance(content, list):
        return storable(content)
    return storable("".join(_text_of(part, others) for part in cast(list[object], content)))


def _text_of(part: object, others: Mapping[str, str]) -> str:
    match part:
        case {"type": "text", "text": str(text)}:
            return text
        case {"type": str(kind)} if kind in others:
            raise refusal(f"{others[kind]} not taken, only text.")
        case _:
            raise PydanticCustomError("invalid_value", "A part must be an object with `type` text and `text`")
