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
    """Ends a session, as a restart of the server does."""
    other = psycopg2.connect(**connection.get_connection_params())
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    other.close()


def test_a_connection_closed_by_the_server_is_replaced_before_the_next_request():
    before = server_process()
    end_session(before)

    close_old_connections()  # as Django does at the start of a request

    assert server_process() != before


def test_checking_a_persistent_connection_needs_no_query(django_assert_num_queries):
    before = server_process()

    close_old_connections()

    with django_assert_num_queries(1):
        assert server_process() == before


def test_without_that_check_the_request_would_fail():
    end_session(server_process())

    with pytest.raises(OperationalError):
        server_process()
    connection.close()


def test_waiting_for_a_hanging_server_has_a_time_limit():
    """Stops the server process, as a hanging disk does; it then cannot enforce its own `statement_timeout`."""
    pid = server_process()
    connection.connection.answer_seconds = 0.3
    resume = threading.Timer(5, os.kill, (pid, signal.SIGCONT))
    resume.start()
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(OperationalError, match="did not answer within"):
            server_process()
    finally:
        resume.cancel()
        os.kill(pid, signal.SIGCONT)

    close_old_connections()

    assert server_process() != pid
    assert connection.connection.answer_seconds == 11
