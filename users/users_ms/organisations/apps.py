from django.apps import AppConfig


class Organisations(AppConfig):
    name = "users_ms.organisations"
    label = "organisations"
