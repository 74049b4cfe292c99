"""Run log to OpenAI's chat completions, byte for byte."""

import json
from typing import Any

import pytest

from app.cursor import Cursor
from app.errors import RunFailed
from app.eventlog.memory import LiveLog
from app.models import STOPPED, Ending, Failure, FinishReason, Piece, Usage
from app.protocols import openai_chat
from app.protocols.openai_chat import Completion
from app.services.reading import Reading

RUN = "01kandgz1m5d9ryt3ek2yqv8p4"
CREATED = 1763802905
HEAD = (
    f'"id":"chatcmpl-{RUN}","object":"chat.completion.chunk","created":{CREATED},"model":"openai/m",'
    '"system_fingerprint":null'
)
SAID = (Piece(0, "reasoning", 0, "음… "), Piece(1, "text", 0, "안녕 "), Piece(1, "text", 3, "🧵\u2028\n"))
USAGE = Usage(12, 3, 1, 4)


def log_of(*pieces: Piece, ending: Ending | None = None, usage: Usage | None = None) -> LiveLog:
    log = LiveLog(RUN, message_id="m", model="openai/m")
    log.publish(pieces)
    if ending is not None:
        log.end(ending, usage)
    return log


def read(log: LiveLog, *, with_usage: bool = False) -> str:
    return Reading(log, Completion(log, with_usage=with_usage), Cursor(RUN)).take().decode()


def frame(delta: str, finish: str = "null", more: str = "") -> str:
    choice = f'{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}'
    return f'data: {{{HEAD},"choices":[{choice}]{more}}}\n\n'


def test_a_stream_is_exactly_these_bytes() -> None:
    assert read(log_of(*SAID, ending=Ending("completed", "stop"), usage=USAGE)) == (
        frame('{"role":"assistant","content":""}')
        + frame('{"reasoning_content":"음… "}')
        + frame('{"content":"안녕 "}')
        + frame('{"content":"🧵\u2028\\n"}')
        + frame("{}", '"stop"')
        + "data: [DONE]\n\n"
    )


def test_the_usage_comes_in_a_chunk_of_its_own_where_it_is_asked_for() -> None:
    told = (
        '"usage":{"prompt_tokens":12,"completion_tokens":3,"total_tokens":15,'
        '"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":1}}'
    )
    null = ',"usage":null'
    assert read(log_of(SAID[1], ending=Ending("completed", "length"), usage=USAGE), with_usage=True) == (
        frame('{"role":"assistant","content":""}', more=null)
        + frame('{"content":"안녕 "}', more=null)
        + frame("{}", '"length"', more=null)
        + f'data: {{{HEAD},"choices":[],{told}}}\n\n'
        + "data: [DONE]\n\n"
    )


def test_a_usage_that_nobody_counted_is_not_made_up() -> None:
    stream = read(log_of(SAID[1], ending=Ending("completed", "stop")), with_usage=True)
    assert stream.endswith(frame("{}", '"stop"', more=',"usage":null') + "data: [DONE]\n\n")
    whole = json.loads(openai_chat.document(log_of(SAID[1], ending=Ending("completed", "stop")), keyed=False))
    assert whole["usage"] is None


@pytest.mark.parametrize("with_usage", [True, False])
def test_a_failure_in_the_middle_is_an_error_and_neither_a_finish_nor_done(with_usage: bool) -> None:
    failure = Failure("upstream_interrupted", "It broke.", True)
    stream = read(log_of(SAID[1], ending=Ending("interrupted", failure=failure), usage=USAGE), with_usage=with_usage)
    last = stream.split("\n\n")[-2]
    assert json.loads(last.removeprefix("data: ")) == {
        "error": {"message": "It broke.", "type": "server_error", "param": None, "code": "upstream_interrupted"}
    }
    assert "[DONE]" not in stream
    assert '"finish_reason":"' not in stream


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("tool_calls", "stop"),
        ("other", "stop"),
    ],
)
def test_every_reason_to_finish_is_one_that_clients_know(reason: FinishReason, told: str) -> None:
    log = log_of(SAID[1], ending=Ending("completed", reason))
    assert frame("{}", f'"{told}"') in read(log)
    assert json.loads(openai_chat.document(log, keyed=False))["choices"][0]["finish_reason"] == told


def test_a_document_is_the_answer_folded() -> None:
    log = log_of(*SAID, ending=Ending("completed", "stop"), usage=USAGE)
    assert json.loads(openai_chat.document(log, keyed=False)) == {
        "id": f"chatcmpl-{RUN}",
        "object": "chat.completion",
        "created": CREATED,
        "model": "openai/m",
        "system_fingerprint": None,
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "안녕 🧵\u2028\n",
                    "refusal": None,
                    "reasoning_content": "음… ",
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 12,
            "completion_tokens": 3,
            "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 1},
        },
    }


def test_after_a_failover_the_model_is_the_one_that_wrote() -> None:
    log = log_of()
    log.hand_over("other/m2", None)
    log.publish(SAID[1:2])
    assert '"model":"other/m2"' in read(log)


def failed(ending: Ending, *, keyed: bool = False) -> RunFailed:
    with pytest.raises(RunFailed) as raised:
        openai_chat.document(log_of(ending=ending), keyed=keyed)
    return raised.value


@pytest.mark.parametrize(
    ("ending", "status", "again"),
    [
        (Ending("failed", None, Failure("upstream_rate_limited", "!", True), True, 7), 429, True),
        (Ending("failed", None, Failure("upstream_rate_limited", "!", True)), 429, False),
        (Ending("failed", None, Failure("upstream_unavailable", "!", True), True), 503, True),
        (Ending("failed", None, Failure("upstream_unavailable", "!", True)), 503, False),
        (Ending("failed", None, Failure("upstream_rejected", "!", False)), 400, False),
        (Ending("failed", None, Failure("upstream_protocol", "!", False)), 502, False),
        (Ending("interrupted", None, Failure("upstream_interrupted", "!", True)), 502, False),
        (Ending("failed", None, Failure("upstream_timeout", "!", True)), 504, False),
        (Ending("failed", None, Failure("run_too_long", "!", True)), 504, False),
        (Ending("failed", None, Failure("model_not_configured", "!", False)), 503, False),
        (Ending("failed", None, Failure("not_saved", "!", True)), 507, False),
        (Ending("interrupted", None, Failure("interrupted", "!", True)), 503, False),
        (Ending("cancelled", None, STOPPED), 410, False),
        (Ending("failed", None, Failure("internal", "!", True)), 500, False),
    ],
)
def test_each_way_to_fail_has_a_status_and_is_tried_again_only_where_nothing_was_bought(
    ending: Ending, status: int, again: bool
) -> None:
    assert ending.failure is not None
    told: Any = failed(ending)
    assert (told.status, told.code, told.message) == (status, ending.failure.code, ending.failure.message)
    assert (told.retryable, told.run_id, told.retry_after) == (again, RUN, ending.retry_after)
    assert not failed(ending, keyed=True).retryable, "the same key gives the same run"
