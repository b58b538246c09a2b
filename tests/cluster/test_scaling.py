"""The autoscaler adds pods under load and removes them after it."""

import json
import time

import pytest
import requests

from evidence.harness.load import traffic
from evidence.harness.waiting import eventually
from tools.deployment.kubernetes import kubectl

FEWEST = 2
SCALE_UP_SECONDS = 300
SCALE_DOWN_SECONDS = 600


def replicas():
    """Desired and current replicas, and the CPU in percent of the requests, by the autoscaler."""
    found = json.loads(kubectl("get", "hpa", "users-ms-deployment", "--output=json").stdout)["status"]
    metrics = found.get("currentMetrics") or [{}]
    used = metrics[0].get("resource", {}).get("current", {}).get("averageUtilization")
    return found.get("desiredReplicas"), found.get("currentReplicas"), used


def say(text, began):
    desired, current, used = replicas()
    print(
        f"    {time.monotonic() - began:5.0f} s  {text}: desired {desired}, current {current}, CPU {used} % of requests"
    )


@pytest.fixture
def calm():
    """Wait until the autoscaler has scaled down after other tests."""
    eventually(lambda: replicas()[:2] == (FEWEST, FEWEST), seconds=SCALE_DOWN_SECONDS)


def test_pods_are_added_under_load_and_removed_after_it(stack, pods, calm):
    began = time.monotonic()
    burn = f"{stack.users}/users-ms/load-test?n=25"
    print()
    say("before the load", began)

    with traffic({"burn": lambda: requests.get(burn, timeout=30)}, pause=0) as seen:
        eventually(lambda: replicas()[0] > FEWEST, seconds=SCALE_UP_SECONDS)
        say("under load", began)
        eventually(lambda: pods.ready("users-ms") > FEWEST, seconds=SCALE_UP_SECONDS)
        say("more pods answer", began)
    eventually(lambda: pods.ready("users-ms") == FEWEST, seconds=SCALE_DOWN_SECONDS)
    say("after the load", began)

    print(f"    {seen}")
    assert seen.failures == []
