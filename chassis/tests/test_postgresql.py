import os
import signal
import threading

import psycopg2
import pytest
from django.db import OperationalError, close_old_connections, connection

pytestmark = pytest.mark.django_db(transaction=True)


def server_process() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def end_session(pid: int) -> None:
    """As a restart of the server does to every session."""
    other = psycopg2.connect(**connection.get_connection_params())
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    other.close()


def test_a_connection_that_the_server_has_ended_is_replaced_before_the_next_request():
    before = server_process()
    end_session(before)

    close_old_connections()  # as Django does when a request begins

    assert server_process() != before


def test_a_connection_that_is_kept_costs_no_question_to_the_server(django_assert_num_queries):
    before = server_process()

    close_old_connections()

    with django_assert_num_queries(1):
        assert server_process() == before


def test_without_that_look_the_request_would_fail():
    end_session(server_process())

    with pytest.raises(OperationalError):
        server_process()
    connection.close()


def test_a_server_that_hangs_is_not_waited_for_without_end():
    """The process of this session stops, as when a disk hangs; `statement_timeout` is its own, and so of no use."""
    pid = server_process()
    connection.connection.answer_seconds = 0.3
    goes_on = threading.Timer(5, os.kill, (pid, signal.SIGCONT))
    goes_on.start()
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(OperationalError, match="did not answer within"):
            server_process()
    finally:
        goes_on.cancel()
        os.kill(pid, signal.SIGCONT)

    close_old_connections()

    assert server_process() != pid
    assert connection.connection.answer_seconds == 11
