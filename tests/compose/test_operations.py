"""What an operator does to a stack that holds data: stops it, renews it, saves it."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import requests


def test_the_data_is_kept_while_nothing_runs(stack, containers, all_is_well):
    user = stack.sign_up()

    stack.command("down")
    assert not containers.project.runs()
    containers.project.up()

    assert stack.log_in(user["email"]).status_code == 200
    all_is_well()


def test_no_request_fails_while_every_process_is_replaced(stack, containers):
    user = stack.sign_up()
    before = {service: set(containers.of(service)) for service in ("users-ms", "auth-ms", "notification-ms")}
    done, failures, served = Event(), [], [0]

    def use():
        while not done.is_set():
            for attempt in (
                lambda: stack.log_in(user["email"]),
                lambda: requests.get(f"{stack.gateway}/users-ms/healthcheck", timeout=10),
                lambda: requests.get(f"{stack.gateway}/notification-ms/openapi.json", timeout=10),
            ):
                served[0] += 1
                try:
                    answer = attempt()
                except requests.RequestException as error:
                    failures.append(repr(error))
                else:
                    failures.extend([answer.text] if answer.status_code != 200 else [])

    with ThreadPoolExecutor(3) as pool:
        clients = [pool.submit(use) for _ in range(3)]
        try:
            stack.command("deploy")
        finally:
            done.set()
        for client in clients:
            client.result()

    print(f"{len(failures)} of {served[0]} requests failed during make deploy")
    assert served[0] > 100
    assert failures == []
    for service, old in before.items():
        assert not old & set(containers.of(service))


def test_a_backup_brings_the_accounts_back_into_an_empty_stack(stack, containers, tmp_path):
    project = containers.project
    user = stack.sign_up()
    stack.command("backup")
    [file] = Path(f"{stack.directory}-backups").glob("*.tar")
    assert file.stat().st_mode & 0o077 == 0

    project.down(volumes=True)
    project.up()
    assert stack.log_in(user["email"]).status_code == 401
    stack.command("restore", str(file))

    assert stack.log_in(user["email"]).status_code == 200
    shutil.rmtree(file.parent)
