"""The Celery application of a consumer."""

from typing import Any

from celery import Celery, signals
from django.db import close_old_connections

from chassis.messaging import broker, validation
from chassis.messaging.topology import EventQueue
from chassis.operations import metrics, pruning


def consumer_application(
    name: str, *, broker_url: str, queues: list[EventQueue], heartbeat_file: str, redelivered_by: str | None = None
) -> Celery:
    """A Celery application that declares and consumes `queues`, and touches `heartbeat_file` while its consumer works.

    `redelivered_by` is the broker user that redelivers dead letters, if any. Prefetch 1 and late acknowledgement: a
    message leaves the broker when it has been handled. Celery's control, event and gossip queues are transient and
    non-exclusive, which RabbitMQ 4 rejects, so they are off.
    """
    application = Celery(name, broker=broker_url)
    application.conf.update(
        task_queues=queues,
        task_create_missing_queues=False,
        task_default_queue=queues[0].name,
        task_acks_late=True,
        task_acks_on_failure_or_timeout=False,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        worker_consumer="chassis.messaging.event_consumer:EventConsumer",
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        # A task in progress when the broker goes away is finished and recorded; its redelivery finds that record.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=5,
        broker_heartbeat=30,
        broker_transport_options={"confirm_publish": True},
        broker_use_ssl=broker.tls(broker_url) or False,
        accept_content=["json"],
        task_serializer="json",
        enable_utc=True,
        timezone="UTC",
        # Celery closes the database connection after each task unless given a number of tasks to keep it for. Here it
        # is kept, and checked before each task as a web process does before each request.
        CELERY_DB_REUSE_MAX=2**31,
    )
    application.conf.heartbeat_file = heartbeat_file
    application.conf.accepted_from = validation.accepted_from(
        queues, worker=broker.user_of(broker_url), redelivered_by=redelivered_by
    )
    signals.task_prerun.connect(_check_database_connections)
    # Connecting any receiver keeps Celery from replacing the logging that Django's settings configure.
    signals.setup_logging.connect(_keep_logging_as_configured)
    signals.worker_init.connect(_serve_metrics)
    return application


def _check_database_connections(**_: Any) -> None:
    close_old_connections()


def _serve_metrics(**_: Any) -> None:
    metrics.reset()
    metrics.serve()


def _keep_logging_as_configured(**_: Any) -> None:
    pass


def prune_hourly() -> None:
    """Lets the worker run settings.PRUNERS, for services without a relay, which does it elsewhere."""
    signals.worker_ready.connect(lambda **_: pruning.start(), weak=False)
