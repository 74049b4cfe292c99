"""What became of a run, as everyone who may look sees it: the asker, a later reader, and the run's own row."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.client import Answer, Client
from tests.support.script import Step
from tests.support.upstream import Upstream


@dataclass(frozen=True)
class Outcome:
    """One run, ended."""

    answer: Answer  # as the asker saw it
    run: dict[str, Any]  # as `GET /api/runs/{id}` tells it

    @property
    def text(self) -> str:
        """Of the answer."""
        return self.answer.text

    @property
    def status(self) -> str:
        """How it ended."""
        return self.run["status"]

    @property
    def code(self) -> str | None:
        """Of the error's frame."""
        return self.answer.error["code"] if self.answer.error else None

    @property
    def ended(self) -> tuple[str, str | None, str]:
        """Status, code and text: what most promises are about."""
        return self.status, self.code, self.text


async def outcome(client: Client, message: str = "Well?", **more: Any) -> Outcome:
    """Ask, read to the end, then look at the row and read the log once more from its start."""
    answer = await client.ask(message, **more)
    assert (answer.status, answer.over, answer.done) == (200, "complete", True), answer
    return await looked_at(client, answer)


async def looked_at(client: Client, answer: Answer) -> Outcome:
    """The outcome of an answer that was read to its end; a later reader must get exactly the same."""
    run = (await client.run(answer.run_id)).json
    replay = await client.follow(answer.run_id)
    assert (replay.text, replay.error, replay.done) == (answer.text, answer.error, True)
    told = None if answer.error is None else {key: answer.error[key] for key in ("code", "message", "retryable")}
    assert run.get("error") == told, "the row and the frame tell two stories"
    assert answer.error is None or answer.error["run_id"] == answer.run_id
    return Outcome(answer, run)


async def scripted(client: Client, upstream: Upstream, *steps: Step) -> Outcome:
    """The outcome of one question to which the upstream answers by this script."""
    upstream.script(*steps)
    return await outcome(client)


async def parts(client: Client, run_id: str) -> list[tuple[str, str]]:
    """The parts of a run in their order, reasoning too, as `format=ui` tells them: (kind, text)."""
    stream = await client.open_events(run_id, format="ui")
    await stream.read()
    frames = [event.json for event in stream.events if event.data != "[DONE]"]
    kinds = {frame["id"]: frame["type"].removesuffix("-start") for frame in frames if frame["type"].endswith("-start")}
    return [(kind, _text(frames, part)) for part, kind in kinds.items()]


def peak_bytes(pid: int) -> int:
    """The most memory that a process has held so far (Linux)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def _text(frames: Sequence[dict[str, Any]], part: str) -> str:
    return "".join(frame["delta"] for frame in frames if frame.get("id") == part and "delta" in frame)
