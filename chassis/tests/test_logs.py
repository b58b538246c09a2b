"""Log records as JSON and as text."""

import json
import logging

import pytest

from chassis.operations import logs, tracing


def record(level=logging.INFO, **fields):
    made = logging.makeLogRecord({"name": "chassis", "levelno": level, "levelname": logging.getLevelName(level)})
    made.msg = "event published"
    vars(made).update(fields)
    return made


def test_json_lines_have_the_ids_of_request_and_trace():
    reset = logs.request_id.set("click-12345678")
    try:
        with tracing.span("GET", parent=f"00-{'a' * 32}-{'b' * 16}-01"):
            line = json.loads(logs.JSONFormatter("auth-ms").format(record(event="user_login_event")))
    finally:
        logs.request_id.reset(reset)

    assert (line["service"], line["message"], line["event"]) == ("auth-ms", "event published", "user_login_event")
    assert (line["request_id"], line["trace_id"]) == ("click-12345678", "a" * 32)


@pytest.mark.parametrize(("level", "colour"), [(logging.WARNING, "\033[33m"), (logging.ERROR, "\033[31m")])
def test_text_lines_are_coloured_only_on_a_terminal(level, colour):
    formatter = logs.TextFormatter("auth-ms")
    formatter.coloured = False
    written = record(level)
    plain = formatter.format(written)
    formatter.coloured = True

    assert "\033" not in plain
    assert formatter.format(written) == f"{colour}{plain}\033[0m"


@pytest.mark.parametrize("sent", [None, "", "x", "00-" + "0" * 32 + "-" + "b" * 16 + "-01", "00-\n", 7, {}])
def test_a_malformed_traceparent_starts_a_new_trace(sent):
    with tracing.span("GET", parent=sent):
        assert tracing.well_formed(tracing.current())
        assert len(logs.trace_id.get()) == 32
    assert tracing.current() is None


@pytest.mark.parametrize("message", [None, 7, [], {}, {"requestid": "a b", "traceparent": 1, "type": ["x"], "id": {}}])
def test_a_malformed_message_is_handled_without_a_request_id(message):
    with tracing.handling(message):
        assert logs.request_id.get() is None


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\x0b", "\x85", "\u2028", "\x1b[2J", "\0"], ids=ascii)
def test_a_record_is_one_line_whatever_it_contains(ending):
    forged = f"x{ending}12:00:00.000 INFO auth-ms forged"
    made = record(agent=forged, path=forged)
    made.msg = forged
    try:
        raise ValueError(forged)
    except ValueError as error:
        failed = record(exc_info=(ValueError, error, error.__traceback__))

    for formatter in (logs.JSONFormatter("auth-ms"), logs.TextFormatter("auth-ms")):
        assert len(formatter.format(made).splitlines()) == 1
        assert "\x1b" not in formatter.format(made)
        following = formatter.format(failed).splitlines()[1:]
        assert all(line.startswith("    ") for line in following)
