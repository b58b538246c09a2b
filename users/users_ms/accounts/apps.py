from django.apps import AppConfig


class Accounts(AppConfig):
    name = "users_ms.accounts"
    label = "accounts"
