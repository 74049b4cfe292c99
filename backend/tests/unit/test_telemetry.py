"""Numbers stay few whatever models there are, and counting harms nothing that is counted."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.models import Run, Usage
from app.telemetry import MAX_DISCOVERED, OTHER, Attempt, Metrics, RunReport, Timings, tell


def report(model: str) -> RunReport:
    run = Run("run", "local", "message", model, "completed", 0)
    return RunReport(run, [Attempt(model, 0.0)], Usage(3, 4), 5, 1.5, 0.5, 1, 1)


def models_in(metrics: Metrics) -> list[str]:
    families = text_string_to_metric_families(metrics.exposed().decode())
    attempts = next(family for family in families if family.name == "aichat_upstream_attempts")
    return [sample.labels["gen_ai_request_model"] for sample in attempts.samples]


def test_models_beyond_a_number_are_counted_together_and_those_that_were_named_always_apart() -> None:
    metrics = Metrics("1.0", ["named/model"])
    for number in range(MAX_DISCOVERED + 7):
        metrics.ended(report(f"listed/model-{number}"))
    metrics.ended(report("named/model"))
    assert len(models_in(metrics)) == MAX_DISCOVERED + 2
    assert {OTHER, "named/model", "listed/model-0"} <= set(models_in(metrics))
    assert f"listed/model-{MAX_DISCOVERED}" not in models_in(metrics)


def test_two_applications_in_one_process_count_apart() -> None:
    one, two = Metrics("1.0", []), Metrics("1.0", [])
    one.ended(report("a/m"))
    assert models_in(one) == ["a/m"]
    assert models_in(two) == []


def test_a_listener_that_breaks_keeps_the_others_from_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[RunReport] = []

    def broken(report: RunReport) -> None:
        raise ValueError("what somebody wrote")

    tell(report("a/m"), [broken, heard.append])
    assert len(heard) == 1
    said = capsys.readouterr()
    assert "run.not_counted" in said.out + said.err
    assert "what somebody wrote" not in said.out + said.err


def test_timings_count_a_value_in_every_bucket_that_holds_it() -> None:
    timings = Timings((0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 2.0):
        timings.add(seconds)
    assert timings.buckets() == [("0.1", 2.0), ("1.0", 3.0), ("+Inf", 4.0)]
    assert timings.total == pytest.approx(2.65)
