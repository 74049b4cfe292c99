"""`/metrics`, as Prometheus reads it; and the log, as whoever collects its lines."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.support.client import Client
from tests.support.server import Server
from tests.support.waiting import until

METRICS = "/metrics"
Sample = tuple[str, frozenset[tuple[str, str]]]


class Numbers:
    """One scrape."""

    def __init__(self, families: Sequence[Metric], text: str) -> None:
        self.families = families
        self.text = text
        self.samples: Mapping[Sample, float] = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }

    def __getitem__(self, name: str) -> float:
        """The sum of all samples of that name."""
        return self.of(name)

    def of(self, name: str, **labels: str) -> float:
        """The sum of the samples of that name that have these labels; 0 where there is none."""
        wanted = labels.items()
        return sum(value for (own, has), value in self.samples.items() if own == name and wanted <= set(has))

    def moved_since(self, before: "Numbers", *prefixes: str) -> dict[tuple[str, tuple[str, ...]], float]:
        """By name and label values: by how much each counter that begins with one of `prefixes` has moved."""
        moved = {
            (name, tuple(value for _, value in sorted(labels))): value - before.samples.get((name, labels), 0)
            for (name, labels), value in self.samples.items()
            if name.endswith("_total") and name.startswith(prefixes)
        }
        return {sample: by for sample, by in moved.items() if by}

    @property
    def labels(self) -> set[str]:
        """Every value of every label."""
        return {value for _, labels in self.samples for _, value in labels}


async def scraped(client: Client) -> Numbers:
    """What the service counts now."""
    reply = await client.request("GET", METRICS)
    assert reply.status == 200, reply.text
    return Numbers(list(text_string_to_metric_families(reply.text)), reply.text)


def lines(server: Server, event: str) -> list[dict[str, Any]]:
    """The lines of that event in the log of a service, oldest first."""
    found = (json.loads(line) for line in server.log.splitlines() if line.startswith("{"))
    return [line for line in found if line["event"] == event]


async def line_of(server: Server, event: str, **fields: Any) -> dict[str, Any]:
    """Wait for a line of that event with these fields: it is written after the answer."""

    def found() -> dict[str, Any] | None:
        return next((line for line in lines(server, event) if fields.items() <= line.items()), None)

    return await until(found, f"the log has {event!r} with {fields}")
