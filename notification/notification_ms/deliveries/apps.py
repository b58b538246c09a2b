from django.apps import AppConfig


class Deliveries(AppConfig):
    name = "notification_ms.deliveries"
    label = "deliveries"
