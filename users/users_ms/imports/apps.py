from django.apps import AppConfig


class Imports(AppConfig):
    name = "users_ms.imports"
    label = "imports"
