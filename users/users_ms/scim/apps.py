from django.apps import AppConfig


class Scim(AppConfig):
    name = "users_ms.scim"
    label = "scim"
