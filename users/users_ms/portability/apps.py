from django.apps import AppConfig


class Portability(AppConfig):
    name = "users_ms.portability"
    label = "portability"
