from django.apps import AppConfig


class SignIn(AppConfig):
    name = "auth_ms.sign_in"
    label = "sign_in"
