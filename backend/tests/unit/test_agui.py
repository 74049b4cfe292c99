"""Run log to AG-UI's events, byte for byte."""

from app.cursor import Cursor
from app.eventlog.memory import LiveLog
from app.models import STOPPED, Ending, Failure, Piece, Usage
from app.protocols.agui import AgentRun
from app.services.reading import Reading

RUN = "01kandgz1m5d9ryt3ek2yqv8p4"
SAID = (Piece(0, "reasoning", 0, "음…"), Piece(1, "text", 0, "안녕 "), Piece(1, "text", 3, "🧵\n"))
STARTED = 'data: {"type":"RUN_STARTED","threadId":"t","runId":"r","protocolVersion":"1.0"}\n\n'
THOUGHT = (
    'data: {"type":"REASONING_START","messageId":"m-0"}\n\n'
    'data: {"type":"REASONING_MESSAGE_START","messageId":"m-0","role":"reasoning"}\n\n'
    'data: {"type":"REASONING_MESSAGE_CONTENT","messageId":"m-0","delta":"음…"}\n\n'
    'data: {"type":"REASONING_MESSAGE_END","messageId":"m-0"}\n\n'
    'data: {"type":"REASONING_END","messageId":"m-0"}\n\n'
)
TEXT = (
    'data: {"type":"TEXT_MESSAGE_START","messageId":"m-1","role":"assistant"}\n\n'
    'data: {"type":"TEXT_MESSAGE_CONTENT","messageId":"m-1","delta":"안녕 "}\n\n'
    'data: {"type":"TEXT_MESSAGE_CONTENT","messageId":"m-1","delta":"🧵\\n"}\n\n'
    'data: {"type":"TEXT_MESSAGE_END","messageId":"m-1"}\n\n'
)
USAGE = (
    '"usage":[{"provider":"openai","model":"openai/m","inputTokens":12,"outputTokens":3,"totalTokens":15,'
    '"reasoningTokens":1,"cachedInputTokens":4}]'
)


def read(*pieces: Piece, ending: Ending, usage: Usage | None = None) -> str:
    log = LiveLog(RUN, message_id="m", model="openai/m")
    log.publish(pieces)
    log.end(ending, usage)
    return Reading(log, AgentRun(log, "t", "r"), Cursor(RUN)).take().decode()


def test_an_answer_is_exactly_these_events() -> None:
    assert read(*SAID, ending=Ending("completed", "length"), usage=Usage(12, 3, 1, 4)) == (
        STARTED
        + THOUGHT
        + TEXT
        + f'data: {{"type":"RUN_FINISHED","threadId":"t","runId":"r",{USAGE},'
        + '"metadata":{"finishReason":"length","model":"openai/m"}}\n\n'
    )


def test_a_failure_closes_what_is_open_and_is_the_last_event() -> None:
    ending = Ending("failed", failure=Failure("upstream_timeout", "Too long.", True))
    error = 'data: {"type":"RUN_ERROR","message":"Too long.","code":"upstream_timeout"}\n\n'
    assert read(*SAID, ending=ending) == STARTED + THOUGHT + TEXT + error
    assert read(ending=ending) == STARTED + error
    assert read(SAID[0], ending=ending) == STARTED + THOUGHT + error


def test_a_stop_is_no_failure() -> None:
    assert read(*SAID[1:], ending=Ending("cancelled", failure=STOPPED)) == (
        STARTED + TEXT + 'data: {"type":"RUN_FINISHED","threadId":"t","runId":"r","outcome":{"type":"cancelled"}}\n\n'
    )


def test_a_passing_note_is_a_custom_event_and_its_end_is_none() -> None:
    log = LiveLog(RUN, message_id="m", model="openai/m")
    reading = Reading(log, AgentRun(log, "t", "r"), Cursor(RUN))
    log.note = "Loading."
    assert reading.take().decode() == (
        STARTED + 'data: {"type":"CUSTOM","name":"status","value":{"note":"Loading."}}\n\n'
    )
    log.note = None
    assert reading.take() == b""
