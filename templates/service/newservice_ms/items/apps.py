from django.apps import AppConfig


class Items(AppConfig):
    name = "newservice_ms.items"
    label = "items"
