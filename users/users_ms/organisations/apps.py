from django.apps import AppConfig
from django.db.models.signals import post_delete


class Organisations(AppConfig):
    name = "users_ms.organisations"
    label = "organisations"

    def ready(self) -> None:
        """`accounts` does not know this app, so it is told by a signal, in the transaction that deletes the user."""
        from users_ms.accounts.models import User
        from users_ms.organisations import services

        def forget(instance: User, **_: object) -> None:
            services.forget_user(instance)

        post_delete.connect(forget, sender=User, weak=False)
