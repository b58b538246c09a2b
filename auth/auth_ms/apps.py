from django.apps import AppConfig


class SignIn(AppConfig):
    name = "auth_ms"
    label = "sign_in"  # the tables have it in their names

    def ready(self) -> None:
        from auth_ms.provider.services import back_channel
        from auth_ms.recovery.services import emails, erasure
        from auth_ms.sessions import endings
        from auth_ms.sign_in.services import admission, email_codes

        endings.ended.connect(back_channel.on_sessions_ended)
        admission.refused_unverified.connect(emails.on_refused_sign_in)
        email_codes.address_proven.connect(erasure.on_address_proven)
