"""What every refusal looks like (RFC 9457; under /v1/ as OpenAI's clients know it), as a test checks it."""

from typing import Any

from tests.support.wire_client import Reply

TYPE = "application/problem+json"
REQUIRED = {"type", "title", "status", "detail", "code", "retryable"}
LONGEST = 20_000  # bytes: whatever was sent, the answer to it stays small


def refused(reply: Reply, *statuses: int) -> dict[str, Any]:
    """The body of a refusal with one of `statuses`.

    Raises:
        AssertionError: it is not one, or lacks what every refusal has.
    """
    assert reply.status in statuses, f"{reply.status} instead of {statuses}: {reply.body[:300]!r}"
    assert reply.headers["content-type"] == TYPE
    assert len(reply.body) < LONGEST, f"a refusal of {len(reply.body)} bytes"
    body = reply.json
    assert REQUIRED <= body.keys() <= REQUIRED | {"errors"}, body
    assert body["status"] == reply.status
    assert isinstance(body["retryable"], bool)
    assert all(isinstance(body[name], str) and body[name] for name in ("type", "title", "detail", "code")), body
    return body


def refused_in_openai_s_shape(reply: Reply, *statuses: int) -> dict[str, Any]:
    """The error of a refusal under /v1/ with one of `statuses`.

    Raises:
        AssertionError: it is not one, or does not say whether trying again makes sense.
    """
    assert reply.status in statuses, f"{reply.status} instead of {statuses}: {reply.body[:300]!r}"
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-should-retry"] in ("true", "false")
    assert len(reply.body) < LONGEST, f"a refusal of {len(reply.body)} bytes"
    assert reply.json.keys() == {"error"}
    error = reply.json["error"]
    assert error.keys() == {"message", "type", "param", "code"}, error
    assert all(isinstance(error[name], str) and error[name] for name in ("message", "type", "code")), error
    assert error["param"] is None or error["param"]
    return error
