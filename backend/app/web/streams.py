"""How a stream looks in the documentation."""

from typing import Any

STREAM: dict[str, Any] = {
    "description": (
        "The answer, as it is made. A failure's frame comes before done:\n"
        '`data: {"chunk": "Error: …", "error": {"code", "message", "retryable", "run_id"}}`. '
        "`X-Run-Id` names the run; `Idempotent-Replayed: true` says that it had been started before."
    ),
    "content": {
        "text/event-stream": {
            "schema": {"type": "string"},
            "examples": {
                "bare": {
                    "summary": "Without Accept: text/event-stream",
                    "value": 'data: {"chunk": "안녕"}\n\ndata: {"chunk": "하세요"}\n\ndata: {"done": true}\n\n',
                },
                "resumable": {
                    "summary": "With Accept: text/event-stream",
                    "value": (
                        'retry: 2000\nid: 01kandgz1m5d9ryt3ek2yqv8p4-0-0\ndata: {"chunk": ""}\n\n'
                        'id: 01kandgz1m5d9ryt3ek2yqv8p4-0-2\ndata: {"chunk": "안녕"}\n\n'
                        'id: 01kandgz1m5d9ryt3ek2yqv8p4-end-2\ndata: {"done": true}\n\n'
                    ),
                },
            },
        }
    },
    "headers": {
        "X-Run-Id": {"description": "The run that is read.", "schema": {"type": "string"}},
        "Idempotent-Replayed": {
            "description": "`true` where the run had been started before.",
            "schema": {"type": "string"},
        },
    },
}
NOTHING_LEFT: dict[str, Any] = {
    "description": "The cursor is at the very end: nothing is left. An `EventSource` stops here."
}
