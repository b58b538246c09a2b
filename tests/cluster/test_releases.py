"""A new version is released under load."""

import os

import pytest

from evidence.harness.pods import PATIENCE_SECONDS
from evidence.harness.waiting import eventually


@pytest.fixture
def version():
    return os.environ["NEXT_VERSION"]


def images(pods, program, track=""):
    """The versions of the pods of a program."""
    return {pod["spec"]["containers"][0]["image"].rpartition(":")[2] for pod in pods.of(program, track)}


def test_no_request_fails_during_a_rolling_update_of_all_services(pods, under_load, new_version, version):
    programs = ["users-ms", "auth-ms", "notification-ms"]
    with under_load() as seen:
        for program in programs:
            new_version(program, version)
            pods.rolled_out(program)

    assert all(images(pods, program) == {version} for program in programs)
    assert seen.failures == []


def test_nothing_is_lost_while_workers_and_relays_are_replaced(stack, pods, account, new_version, version):
    programs = ["users-outbox-relay", "auth-outbox-relay", "notification-email-worker"]
    token = stack.token_of(account["email"])
    for program in programs:
        new_version(program, version)
    for _ in range(30):
        assert stack.log_in(account["email"]).status_code == 200
    for program in programs:
        pods.rolled_out(program)

    eventually(lambda: stack.notified("user_login_event", token=token) == 31, seconds=PATIENCE_SECONDS)


def test_a_version_that_cannot_start_gets_no_request_and_replaces_no_pod(pods, under_load, new_version):
    before = pods.ready("users-ms")
    with under_load() as seen:
        new_version("users-ms", "there-is-no-such-version")

        def stuck():
            waiting = [pod["status"].get("containerStatuses", [{}]) for pod in pods.of("users-ms")]
            first = [pod["status"].get("initContainerStatuses", [{}]) for pod in pods.of("users-ms")]
            return "Image" in str([*waiting, *first]) and "BackOff" in str([*waiting, *first])

        eventually(stuck, seconds=PATIENCE_SECONDS)
        assert pods.ready("users-ms") == before

    assert seen.failures == []


def test_a_canary_gets_its_share_and_is_promoted_without_a_failed_request(stack, pods, under_load, make, version):
    with under_load() as seen:
        make("canary-start", S="users-ms", VERSION=version, WEIGHT="30")
        assert images(pods, "users-ms", "canary") == {version}
        eventually(lambda: "canary: 0 requests" not in make("canary-status", S="users-ms"), seconds=90)
        make("canary-promote", S="users-ms")

    assert images(pods, "users-ms") == {version}
    assert pods.of("users-ms", "canary") == []
    assert seen.failures == []


def test_a_canary_is_aborted_without_a_failed_request(pods, under_load, make, version):
    with under_load() as seen:
        make("canary-start", S="auth-ms", VERSION=version)
        make("canary-abort", S="auth-ms")

    assert pods.of("auth-ms", "canary") == []
    assert seen.failures == []


def test_blue_green_switches_at_once_and_back_without_a_failed_request(pods, under_load, make, version):
    with under_load() as seen:
        make("blue-green-start", S="auth-ms", VERSION=version)
        assert images(pods, "auth-ms", "green") == {version}
        make("blue-green-promote", S="auth-ms")
        assert "Requests go to: green" in make("blue-green-status", S="auth-ms")
        make("blue-green-abort", S="auth-ms")

    assert pods.of("auth-ms", "green") == []
    assert seen.failures == []
