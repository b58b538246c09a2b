from django.apps import AppConfig


class Outbox(AppConfig):
    name = "chassis.outbox"
    label = "outbox"
