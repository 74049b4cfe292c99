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
COMPLETION: dict[str, Any] = {
    "description": (
        'The answer. A failure in the middle of a stream is a frame, `data: {"error": {…}}`, and then nothing: neither '
        "a finish reason nor `[DONE]`. `X-Run-Id` names the run."
    ),
    "content": {
        "application/json": {
            "schema": {"type": "object"},
            "example": {
                "id": "chatcmpl-01kandgz1m5d9ryt3ek2yqv8p4",
                "object": "chat.completion",
                "created": 1763800000,
                "model": "openai/gpt-4o-mini",
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": "안녕하세요"},
                        "logprobs": None,
                        "finish_reason": "stop",
                    }
                ],
                "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
            },
        },
        "text/event-stream": {
            "schema": {"type": "string"},
            "example": (
                'data: {"id":"chatcmpl-01kandgz1m5d9ryt3ek2yqv8p4","object":"chat.completion.chunk",'
                '"created":1763800000,"model":"openai/gpt-4o-mini","choices":[{"index":0,"delta":{"content":"안녕"},"finish_reason":null}]}\n\n'
                "data: [DONE]\n\n"
            ),
        },
    },
    "headers": {"X-Run-Id": {"description": "The run that is read.", "schema": {"type": "string"}}},
}
AGENT_RUN: dict[str, Any] = {
    "description": (
        "AG-UI's events. A failure is `RUN_ERROR`, a stop `RUN_FINISHED` with the outcome `cancelled`. "
        "`X-Run-Id` names the run: by it the answer is stopped, or read again."
    ),
    "content": {
        "text/event-stream": {
            "schema": {"type": "string"},
            "example": (
                'data: {"type":"RUN_STARTED","threadId":"t-1","runId":"r-1","protocolVersion":"1.0"}\n\n'
                'data: {"type":"TEXT_MESSAGE_START","messageId":"01kandgz1n8v3h2x6w0qj5r7ta-0","role":"assistant"}\n\n'
                'data: {"type":"TEXT_MESSAGE_CONTENT","messageId":"01kandgz1n8v3h2x6w0qj5r7ta-0","delta":"안녕"}\n\n'
                'data: {"type":"TEXT_MESSAGE_END","messageId":"01kandgz1n8v3h2x6w0qj5r7ta-0"}\n\n'
                'data: {"type":"RUN_FINISHED","threadId":"t-1","runId":"r-1"}\n\n'
            ),
        }
    },
    "headers": {"X-Run-Id": {"description": "The run that is read.", "schema": {"type": "string"}}},
}
