"""What is in `deploy/` fits the service: it can be read, names settings that there are, and waits out a drain."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import Settings
from tests.support.server import BACKEND

DEPLOY = BACKEND.parent / "deploy"
SERVERS_OWN = {"FORWARDED_ALLOW_IPS"}  # uvicorn reads it
GRACE = 15  # after the drain: api and proxies, endings and frames


def read(name: str) -> list[Any]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text("utf-8")))


def named(names: set[str]) -> set[str]:
    """Those that are no settings."""
    return names - {name.upper() for name in Settings.model_fields} - SERVERS_OWN


def test_compose_names_our_settings_and_gives_a_drain_its_time() -> None:
    (compose,) = read("compose.yaml")
    replicas = [service for name, service in compose["services"].items() if name.startswith("chat")]
    assert len(replicas) == 2
    for service in replicas:
        environment = service["environment"]
        assert named(set(environment)) == set()
        assert int(service["stop_grace_period"].removesuffix("s")) >= float(environment["DRAIN_SECONDS"]) + GRACE
        assert service["build"]["args"] == {"POSTGRES": "1"}


def test_kubernetes_names_our_settings_and_gives_a_drain_its_time() -> None:
    things = {thing["kind"]: thing for thing in read("kubernetes.yaml")}
    assert set(things) == {"ConfigMap", "Deployment", "PodDisruptionBudget", "Service", "Ingress"}
    settings = things["ConfigMap"]["data"]
    assert named(set(settings)) == set()
    pod = things["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] >= pause + float(settings["DRAIN_SECONDS"]) + GRACE
    assert container["readinessProbe"]["httpGet"]["path"] == "/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/health"


@pytest.mark.parametrize("name", ["nginx.conf", "Caddyfile"])
def test_proxies_hold_nothing_back_and_know_both_replicas(name: str) -> None:
    text = Path(DEPLOY / name).read_text("utf-8")
    assert {"chat-1:8000", "chat-2:8000"} <= set(re.findall(r"chat-\d:8000", text))
    assert ("proxy_buffering off;" in text) or ("flush_interval -1" in text)
