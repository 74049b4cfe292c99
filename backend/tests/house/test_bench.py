"""The benchmark works, and notices answers that are not whole. How fast anything is, no test says."""

import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from bench import report
from bench.answers import BEGINNING, FRAMES, Asked, asked_in, ending, question
from bench.reader import Answer
from bench.results import Machine, Results
from bench.wire import Broken
from tests.support.server import BACKEND

ASKED = Asked(tokens=5, gap=0, variant=3)
LINUX = sys.platform == "linux"


def response(places: Iterable[int], end: bytes) -> bytes:
    return BEGINNING + b"".join(FRAMES[(place + ASKED.variant) % len(FRAMES)] for place in places) + end


def read(data: bytes, *, cut: int = 0) -> Answer:
    answer = Answer(0, ASKED, 0.0)
    for part in (data[:cut], data[cut:]) if cut else (data,):
        answer.take(part)
    return answer


def test_a_question_asks_for_its_answer_also_behind_a_history() -> None:
    earlier = question(Asked(1, 2, 3))
    assert asked_in(f"{earlier} … {question(ASKED)}".encode()) == ASKED
    assert asked_in(b"What is the capital of Korea?") is None


def test_a_whole_answer_is_over_with_its_last_byte_and_is_exact_however_it_was_cut() -> None:
    data = response(range(5), ending(5, usage=True))
    for cut in range(1, len(data)):
        before = Answer(0, ASKED, 0.0)
        before.take(data[:cut])
        assert not before.over
        whole = read(data, cut=cut)
        assert whole.over
        whole.check("openai")


@pytest.mark.parametrize(
    "places",
    [(0, 1, 2, 3), (0, 1, 1, 2, 3, 4), (0, 2, 1, 3, 4), (1, 2, 3, 4, 5)],
    ids=["lost", "twice", "order", "mixed"],
)
def test_a_token_that_is_lost_told_twice_or_another_ones_is_noticed(places: tuple[int, ...]) -> None:
    with pytest.raises(Broken, match="characters of text"):
        read(response(places, ending(5, usage=False))).check("openai")


def test_how_far_an_answer_was_is_known_for_each_read_whatever_a_read_holds() -> None:
    frames = [f'data: {{"chunk": "{text}"}}\n\n'.encode() for text in ("안녕", " there", "!")]
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = [b"%x\r\n%b\r\n" % (len(frame), frame) for frame in frames]
    answer = Answer(0, ASKED, 0.0)
    for number, data in enumerate((head, body[0] + body[1][:9], body[1][9:], body[2])):
        answer.take(data)
        if number:
            answer.times.append(float(number))
    assert answer.progress() == [(2, 1.0), (8, 2.0), (9, 3.0)]


def test_an_answer_without_its_end_is_noticed() -> None:
    with pytest.raises(Broken, match="ends with"):
        read(response(range(5), b"0\r\n\r\n")).check("openai")


def test_the_benchmark_runs_in_a_tiny_size_and_reports_what_it_measured(tmp_path: Path) -> None:
    done = measured("peers", "curves", "soak", "--peers", "service", "--curves", "readers", folder=tmp_path)
    if not LINUX:
        assert (done.returncode, done.stderr[:29]) == (1, "The benchmark needs Linux: it")
        return
    assert (done.returncode, done.stderr) == (0, "")
    results = msgspec.json.decode((tmp_path / "report.json").read_bytes(), type=Results)
    (one,) = results.peers["service"].rounds
    for workload, outcome in one.outcomes.items():
        assert (workload, outcome.unfinished, outcome.refused, outcome.why) == (workload, 0, 0, [])
        assert min(outcome.tokens, outcome.server_cpu, outcome.bytes_read) > 0
    assert [len(point.per_token) for point in results.curves["readers"].points] == [1, 1]
    soak = results.soak
    assert soak is not None
    assert soak.during.answers > 0 < soak.during.refused
    assert (soak.during.wrong, soak.during.unfinished, soak.during.without_retry_after) == (0, 0, 0)
    page = (tmp_path / "report.md").read_text("utf-8")
    for title in (
        "Side by side",
        "Targets",
        "What readers see",
        "fast enough",
        "While one thing grows",
        "Twice as much",
    ):
        assert title in page


def test_the_report_says_what_was_measured_where(tmp_path: Path) -> None:
    here, there = (Machine(2, "x86_64", 8.0, "Linux 6.1", python, "one core") for python in ("3.13.5", "3.11.7"))
    report.write(Results(machines={"peers": here, "curves": there, "soak": there}), tmp_path)
    lines = [line for line in (tmp_path / "report.md").read_text("utf-8").splitlines() if "Measured there" in line]
    assert [line.partition("Measured there: ")[2] for line in lines] == ["peers.", "curves, soak."]
    assert ["3.13.5" in line for line in lines] == [True, False]


def test_the_benchmark_of_replicas_runs_in_a_tiny_size_and_reports_what_it_measured(tmp_path: Path) -> None:
    done = measured("replicas", folder=tmp_path)
    if not LINUX:
        assert done.returncode == 1
        return
    assert (done.returncode, done.stderr) == (0, "")
    results = msgspec.json.decode((tmp_path / "report.json").read_bytes(), type=Results)
    assert list(results.replicas) == ["0", "2"]
    for replicas, setting in results.replicas.items():
        (one,) = setting.rounds
        for workload, outcome in one.outcomes.items():
            assert (workload, outcome.unfinished, outcome.refused, outcome.why) == (workload, 0, 0, [])
            assert min(outcome.tokens, outcome.server_cpu, outcome.commits) > 0
            assert (outcome.database_cpu > 0, outcome.log_bytes > 0) == (replicas != "0", replicas != "0")
        assert one.outcomes["elsewhere"].behind.worst > 0
    assert all(min(one.plain, one.notified) > 0 for one in results.committing)
    page = (tmp_path / "report.md").read_text("utf-8")
    for title in ("Over PostgreSQL", "2 replicas", "Read elsewhere", "Commits"):
        assert title in page


def measured(*parts: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run the benchmark, and see that it leaves nothing but its report."""
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:  # not in `folder`: PostgreSQL's user may not go there
        Path(scratch).chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-m", "bench", *parts, "--size", "tiny", "--here", "--folder", str(folder)],
            cwd=BACKEND.parent,
            env={"PYTHONPATH": str(BACKEND), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TMPDIR": scratch},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert [*Path(scratch).iterdir()] == []
    assert not [left.name for left in folder.iterdir() if not left.name.startswith("report")]
    return done
