"""`fixtures/transcripts/`: what the service writes for each case, and the message it keeps, are what the files say.

The page's reducer passes the same files, so that a transcript read as it is made equals the one that is saved.
"""

import json
from typing import Any

import pytest

from app.cursor import Cursor
from app.models import Usage
from app.services.transcript import fold
from tests.support.transcripts import CASES, FOLDER, MESSAGE, RUN, told

STATUS = {None: "streaming", "completed": "completed", "cancelled": "cancelled"}
KEYS = {"name", "about", "run_id", "message_id", "frames", "transcript"}
every_case = pytest.mark.parametrize("name", CASES)


def fixture(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def test_every_file_has_its_case_and_every_case_its_file() -> None:
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(CASES)


@every_case
def test_the_frames_are_what_the_service_writes(name: str) -> None:
    case = fixture(name)
    assert case.keys() == KEYS
    assert (case["name"], case["run_id"], case["message_id"]) == (name, RUN, MESSAGE)
    assert told(name).frames == case["frames"]


@every_case
def test_the_transcript_is_the_message_that_the_service_keeps(name: str) -> None:
    transcript, log = fixture(name)["transcript"], told(name).log
    ending = log.ending
    expected = {
        "parts": [{"type": part.kind, "text": part.text} for part in fold(log.pieces)],
        "status": STATUS.get(ending and ending.status, "failed"),
        "note": log.note,
        "finish_reason": ending and ending.finish_reason,
        "error": {"message": ending.failure.message} if ending and ending.failure else None,
        "model": log.model,
        "model_note": log.about,
        "usage": counted(log.usage),
    }
    told_of = {key: value for key, value in expected.items() if value is not None}
    assert {key: value for key, value in transcript.items() if key != "cursor"} == told_of


@every_case
def test_each_delta_ends_at_its_place_and_the_cursor_is_the_last_one(name: str) -> None:
    case = fixture(name)
    texts: dict[str, str] = {}
    for frame in case["frames"]:
        match frame["data"]:
            case {"delta": delta, "id": part}:
                texts[part] = texts.get(part, "") + delta
                place = Cursor.parse(frame["id"])
                assert (f"part-{place.part}", place.offset) == (part, len(texts[part]))
            case _:
                pass
    assert case["transcript"]["cursor"] == case["frames"][-1]["id"]


def counted(usage: Usage | None) -> dict[str, int] | None:
    return {name: getattr(usage, name) for name in usage.__struct_fields__} if usage else None
