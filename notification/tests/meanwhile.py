"""Helpers for tests of events that happen while a mail is being sent."""

import threading

from django.db import connection

from notification_ms.deliveries.media import Email


class SlowMail(Email):
    """Signals when a mail is about to be sent, and waits for permission to send it."""

    def __init__(self):
        super().__init__()
        self.is_sending, self.may_send = threading.Event(), threading.Event()

    def send(self, *arguments, **options):
        self.is_sending.set()
        assert self.may_send.wait(10)
        super().send(*arguments, **options)


def is_waiting_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock')")
        return cursor.fetchone()[0]
