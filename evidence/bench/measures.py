"""The measurements. Each yields rows, whose ratios compare two sides that were measured alternately in one run."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from evidence.bench import bench_stack, data, drain, servers, wrk
from evidence.bench.bench_stack import Bench
from evidence.bench.rows import Row
from evidence.bench.wrk import Answers, Requests
from local.paths import ROOT

ROUNDS = 3
SECONDS = 5.0
LOGIN_SECONDS = 15.0
SURNAME = "Surname7"


Side = Callable[[], Answers]


def _interleaved(*sides: Side, rounds: int = ROUNDS) -> list[list[Answers]]:
    """The answers of all sides, measured alternately after one warm-up each."""
    for side in sides:
        side()
    taken = [[side() for side in sides] for _ in range(rounds)]
    return [list(answers) for answers in zip(*taken, strict=True)]


def _ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def _rates(answers: Sequence[Answers]) -> str:
    return f"{statistics.median(each.rate for each in answers):.0f}/s"


def logins(bench: Bench) -> Iterator[Row]:
    """Logins per second at auth-ms, compared with bare bcrypt on the same processors."""
    clients = bench_stack.sign_ins(bench, clients=8)
    bare, ours = [], []
    wrk.send(clients, seconds=2)
    for _ in range(ROUNDS):
        bare.append(_bare_bcrypt(LOGIN_SECONDS))
        ours.append(wrk.send(clients, seconds=LOGIN_SECONDS).rate)
    ratios = _ratios(ours, bare)
    absolute = f"{statistics.median(ours):.1f}/s, bcrypt alone {statistics.median(bare):.1f}/s"
    yield Row(
        what="logins per second / bare bcrypt",
        values=ratios,
        target="≥ 0.95",
        is_met=statistics.median(ratios) >= 0.95,
        absolute=absolute,
    )


def _bare_bcrypt(seconds: float) -> float:
    command = [sys.executable, "-m", "evidence.bench.bare_bcrypt", str(seconds)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return float(done.stdout)


def reads(bench: Bench) -> Iterator[Row]:
    """One user, and a page of a filtered list, compared with the stock service on the same users."""
    small = bench.databases[data.SMALL]
    stateless = {"STOCK_AUTHENTICATION": "rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication"}
    with ExitStack() as servers_up:
        ours = servers_up.enter_context(servers.users(bench.layout, small))
        stock = servers_up.enter_context(servers.stock(bench.layout, bench.stock_database))
        light = servers_up.enter_context(servers.stock(bench.layout, bench.stock_database, stateless))
        one = [
            Requests(url=ours, path="/users-ms/users/#", token=bench.token, high=data.SMALL),
            Requests(url=stock, path="/users/#/", token=bench.stock_token, high=data.SMALL),
            Requests(url=light, path="/users/#/", token=bench.stock_token, high=data.SMALL),
        ]
        get, get_stock, get_light = _interleaved(*(_sender(each) for each in one))
        pages = [
            Requests(url=ours, path=f"/users-ms/users?surname={SURNAME}", token=bench.token),
            Requests(url=stock, path=f"/users/?surname={SURNAME}", token=bench.stock_token),
        ]
        page, page_stock = _interleaved(*(_sender(each) for each in pages))
    ratios = _ratios([each.rate for each in get], [each.rate for each in get_stock])
    yield Row(
        what="GET one user / stock ModelViewSet",
        values=ratios,
        target="≥ 2",
        is_met=statistics.median(ratios) >= 2,
        absolute=f"{_rates(get)}, stock {_rates(get_stock)}",
    )
    yield Row(
        what="the same / stock without loading the token's user",
        values=_ratios([each.rate for each in get], [each.rate for each in get_light]),
        absolute=f"stock {_rates(get_light)}",
    )
    tails = [each.p99 / each.p50 for each in get]
    yield Row(
        what="GET one user under saturation: p99 / p50",
        values=tails,
        target="≤ 3",
        is_met=statistics.median(tails) <= 3,
        absolute=f"p50 {1000 * statistics.median(each.p50 for each in get):.0f} ms",
    )
    yield Row(
        what="a page of 50 by surname / stock with django-filter",
        values=_ratios([each.rate for each in page], [each.rate for each in page_stock]),
        absolute=f"{_rates(page)}, stock {_rates(page_stock)}",
    )


def _sender(clients: Requests, seconds: float = SECONDS) -> Side:
    return lambda: wrk.send(clients, seconds=seconds)


def sign_ups(bench: Bench) -> Iterator[Row]:
    """Creating users, each with a hash, compared with bare bcrypt and the stock service."""
    number = time.time_ns() // 1_000_000
    user = {"name": "Ada", "surname": "Lovelace", "email": f"new.{number}.#@example.org", "password": data.PASSWORD}
    body = json.dumps(user)
    with ExitStack() as servers_up:
        ours = servers_up.enter_context(
            servers.users(bench.layout, bench.databases[data.SMALL], {"SIGN_UPS_PER_HOUR": "1000000"})
        )
        stock = servers_up.enter_context(servers.stock(bench.layout, bench.stock_database))
        sides = [
            Requests(url=ours, path="/users-ms/users", method="POST", body=body, high=2**40, clients=4),
            Requests(url=stock, path="/users/", method="POST", body=body, high=2**40, clients=4),
        ]
        created, created_stock = _interleaved(*(_sender(each) for each in sides), rounds=3)
    yield Row(
        what="create a user / stock ModelViewSet, both with bcrypt at cost 12",
        values=_ratios([each.rate for each in created], [each.rate for each in created_stock]),
        absolute=f"{statistics.median(each.rate for each in created):.1f}/s",
    )


def drains(bench: Bench) -> Iterator[Row]:
    """One worker process empties a queue: of mails, and of tasks that do nothing."""
    rounds = [
        (drain.rate(bench.layout, drain.MAILS, 600), drain.rate(bench.layout, drain.NOTHING, 3000)) for _ in range(3)
    ]
    ratios = [mails / nothing for mails, nothing in rounds]
    yield Row(
        what="mails per second of a worker / empty Celery task",
        values=ratios,
        target="≥ 0.7",
        is_met=statistics.median(ratios) >= 0.7,
        absolute=f"{statistics.median(mails for mails, _ in rounds):.0f}/s, "
        f"empty {statistics.median(nothing for _, nothing in rounds):.0f}/s",
    )


def latency(bench: Bench) -> Iterator[Row]:
    """The time from the answer to a login to the acceptance of its mail, one login after the other."""
    first = f"bench.{bench_stack.ACCOUNTS}@example.org"
    bench_stack.log_in(bench.layout, first)
    _accepted(bench.mails, {first})  # so that no worker is still starting
    answered = {}
    for number in range(1, 101):
        email = f"bench.{number}@example.org"
        bench_stack.log_in(bench.layout, email)
        answered[email] = time.time_ns()
    accepted = _accepted(bench.mails, set(answered))
    milliseconds = sorted((accepted[email] - answered[email]) / 1e6 for email in answered)
    middle, tail = statistics.median(milliseconds), milliseconds[int(0.99 * len(milliseconds)) - 1]
    absolute = f"of {len(milliseconds)} logins, p99 {tail:.0f} ms"
    yield Row(
        what="login answered → mail accepted: p50",
        values=milliseconds,
        unit="ms",
        target="< 100 ms",
        is_met=middle < 100,
        absolute=absolute,
    )
    yield Row(
        what="login answered → mail accepted: p99", values=[tail], unit="ms", target="< 500 ms", is_met=tail < 500
    )


def _accepted(file: Path, awaited: set[str]) -> dict[str, int]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        lines = (line.split() for line in file.read_text().splitlines())
        found = {recipient: int(at) for recipient, at in lines if recipient in awaited}
        if set(found) == awaited:
            return found
        time.sleep(0.1)
    raise TimeoutError(f"{len(awaited - set(found))} of {len(awaited)} mails did not come")


def processes(bench: Bench) -> Iterator[Row]:
    """GET one user with one, two and four web processes."""
    with ExitStack() as servers_up:
        sides = []
        for number in (1, 2, 4):
            variables = {"WEB_PROCESSES": str(number)}
            url = servers_up.enter_context(servers.users(bench.layout, bench.databases[data.SMALL], variables))
            sides.append(
                _sender(Requests(url=url, path="/users-ms/users/#", token=bench.token, high=data.SMALL, clients=32))
            )
        one, *more = _interleaved(*sides, rounds=3)
    for number, answers in zip((2, 4), more, strict=True):
        yield Row(
            what=f"GET one user: {number} web processes / 1",
            values=_ratios([each.rate for each in answers], [each.rate for each in one]),
            absolute=f"{_rates(answers)}, one {_rates(one)}",
        )


def sizes(bench: Bench) -> Iterator[Row]:
    """The time of a page in a table of a million users, at any depth, compared with one of ten thousand."""
    deep = data.LARGE * 9 // 10
    paths = {
        "first page": "/users-ms/users?limit=50",
        "page at nine tenths": f"/users-ms/users?limit=50&cursor=after-{deep}",
        "first page of a surname": f"/users-ms/users?limit=50&surname={SURNAME}",
        "deep page of ten of a surname": f"/users-ms/users?limit=10&surname={SURNAME}&cursor=after-{deep}",
        "first page of a search by prefix": "/users-ms/users?limit=50&search=surname7",
    }
    small_deep = data.SMALL * 9 // 10
    with ExitStack() as servers_up:
        small = servers_up.enter_context(servers.users(bench.layout, bench.databases[data.SMALL]))
        large = servers_up.enter_context(servers.users(bench.layout, bench.databases[data.LARGE]))
        for name, path in paths.items():
            small_path = path.replace(f"after-{deep}", f"after-{small_deep}")
            of_small, of_large = _interleaved(
                _sender(Requests(url=small, path=small_path, token=bench.token, clients=1), seconds=3),
                _sender(Requests(url=large, path=path, token=bench.token, clients=1), seconds=3),
            )
            ratios = _ratios([each.p50 for each in of_large], [each.p50 for each in of_small])
            yield Row(
                what=f"1,000,000 users / 10,000, {name}",
                values=ratios,
                target="≤ 1.3",
                is_met=statistics.median(ratios) <= 1.3,
                absolute=f"{1000 * statistics.median(each.p50 for each in of_large):.1f} ms",
            )
