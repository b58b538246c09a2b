from django.apps import AppConfig


class SignIn(AppConfig):
    name = "auth_ms"
    label = "sign_in"  # the tables have it in their names
