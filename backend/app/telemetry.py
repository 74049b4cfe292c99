"""Logging: events with fields, one line each, never a user's text, a key or a query."""

import logging
import sys

import structlog

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("chat")


def set_up() -> None:
    """Send the service's events to stderr, and silence what would write prompts down.

    uvicorn's access log prints query strings, where `GET /api/chat/stream` has its message; ours does not.
    """
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, sort_keys=False)
            if sys.stderr.isatty()
            else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    for name in ("uvicorn.access", "uvicorn.asgi"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = False
        logger.disabled = True


def where(error: BaseException) -> str:
    """File, line and function of each frame of `error`: a traceback that holds no value, so nobody's text."""
    frames: list[str] = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}:{code.co_name}")
        trace = trace.tb_next
    return " > ".join(frames)
