"""The events in docs/asyncapi.yaml: every event that a service's tests record is validated against it."""

from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from chassis.outbox import services
from chassis.outbox.models import OutboxMessage

DOCUMENT = yaml.safe_load((Path(__file__).parents[2] / "docs" / "asyncapi.yaml").read_text())


def examples() -> dict[str, dict[str, Any]]:
    """One example of each event."""
    return {name: DOCUMENT["components"]["schemas"][name]["examples"][0] for name in DOCUMENT["channels"]}


def receivers() -> dict[str, set[str]]:
    """The queues of each event."""
    queues: dict[str, set[str]] = {name: set() for name in DOCUMENT["channels"]}
    for name, operation in DOCUMENT["operations"].items():
        if operation["action"] == "receive":
            queues[operation["channel"]["$ref"].rpartition("/")[2]].add(name)
    return queues


def awaited_queues(service: str) -> dict[str, set[str]]:
    """The queues of each event that a service sends."""
    sent = [
        operation["channel"]["$ref"].rpartition("/")[2]
        for name, operation in DOCUMENT["operations"].items()
        if operation["action"] == "send" and name.startswith(service.replace("-", "_"))
    ]
    return {event: receivers()[event] for event in sent}


def check(event: dict[str, Any]) -> None:
    """Raises ValueError when `event` violates its schema or has data that the schema does not describe."""
    _validator(event["type"]).validate(event)
    undescribed = set(event["data"]) - _described(event["type"])
    if undescribed:
        raise ValueError(f"{event['type']} does not describe {sorted(undescribed)}")


@cache
def _validator(name: str) -> jsonschema_rs.Draft202012Validator:
    schema = DOCUMENT | {"$ref": f"#/components/schemas/{name}"}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def _described(name: str) -> set[str]:
    data = DOCUMENT["components"]["schemas"][name]["allOf"][1]["properties"]["data"]
    shared = DOCUMENT["components"]["schemas"]["contact"]["properties"] if "allOf" in data else {}
    return set(data["properties"]) | set(shared)


@pytest.fixture(autouse=True)
def events_follow_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validates every event that the service records."""
    record = services.record

    def record_and_check(event: Any, **options: Any) -> OutboxMessage:
        message = record(event, **options)
        check(message.event)
        return message

    monkeypatch.setattr(services, "record", record_and_check)
