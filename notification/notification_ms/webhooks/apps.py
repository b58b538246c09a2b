from django.apps import AppConfig


class Webhooks(AppConfig):
    name = "notification_ms.webhooks"
    label = "webhooks"
