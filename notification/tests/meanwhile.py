"""What tests of something that happens while a mail is being sent have in common."""

import threading

from django.db import connection

from notification_ms.deliveries.media import Email


class SlowMail(Email):
    """Says when a mail is on its way, and sends it when it is told to."""

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
