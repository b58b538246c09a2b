"""What goes in and out of auth-ms."""

from typing import Any

from rest_framework import serializers

from auth_ms.models import AuditEvent, Passkey, Session
from chassis.http import fields
from chassis.security.principal import ADMIN_SCOPE, Principal

METHODS = ["totp", "passkey", "recovery_code"]
MAXIMUM_TOKEN_LENGTH = 4096
MAXIMUM_OPAQUE_TOKEN_LENGTH = 128


class Password(fields.Text):
    """A password as it is typed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=200, trim_whitespace=False, write_only=True, **options)


class OpaqueToken(fields.Text):
    """A token that auth-ms has made."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=MAXIMUM_OPAQUE_TOKEN_LENGTH, **options)


class LoginInput(serializers.Serializer):
    username = fields.Text(max_length=254, help_text="the email address")
    password = Password()


class TokenOutput(serializers.Serializer):
    """Signed in."""

    access_token = serializers.CharField(help_text="a JWT, signed with ES256")
    token_type = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="seconds")
    refresh_token = serializers.CharField(help_text="opaque; empty when it was asked for as a cookie")
    refresh_expires_in = serializers.IntegerField(help_text="seconds")


class SecondFactorRequiredOutput(serializers.Serializer):
    """The password was right; POST /auth-ms/auth/login/mfa completes the login."""

    mfa_required = serializers.BooleanField(help_text="always true")
    mfa_token = serializers.CharField(help_text="opaque")
    methods = serializers.ListField(child=serializers.ChoiceField(choices=METHODS))
    expires_in = serializers.IntegerField(help_text="seconds")


class SecondFactorInput(serializers.Serializer):
    """`code` for totp and recovery_code, `credential` for passkey."""

    mfa_token = OpaqueToken()
    method = serializers.ChoiceField(choices=METHODS)
    code = fields.Text(required=False, max_length=64)
    credential = serializers.DictField(required=False, help_text="what navigator.credentials.get() gave, as JSON")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        needed = "credential" if attrs["method"] == "passkey" else "code"
        if needed not in attrs:
            raise serializers.ValidationError({needed: ["This field is required."]})
        return attrs


class RefreshInput(serializers.Serializer):
    refresh_token = OpaqueToken()


class IntrospectionInput(serializers.Serializer):
    """RFC 7662, §2.1, as a form or as JSON."""

    token = fields.Text(max_length=MAXIMUM_TOKEN_LENGTH)
    token_type_hint = fields.Text(required=False, max_length=64, allow_blank=True)


class IntrospectionOutput(serializers.Serializer):
    """RFC 7662, §2.2. Of a token that is not active nothing else is told."""

    active = serializers.BooleanField()
    token_type = serializers.CharField(required=False)
    scope = serializers.CharField(required=False, allow_blank=True)
    sub = serializers.CharField(required=False)
    sid = serializers.CharField(required=False)
    iss = serializers.CharField(required=False)
    aud = serializers.CharField(required=False)
    jti = serializers.CharField(required=False)
    iat = serializers.IntegerField(required=False)
    exp = serializers.IntegerField(required=False)
    auth_time = serializers.IntegerField(required=False, help_text="of an access token: when the user signed in")
    amr = serializers.ListField(child=serializers.CharField(), required=False, help_text="and how (RFC 8176)")
    acr = serializers.CharField(required=False, help_text="and by one factor (aal1) or two (aal2)")


class LiveSessionOutput(serializers.Serializer):
    """Whose session goes on."""

    user_id = serializers.IntegerField()
    session_id = serializers.IntegerField()


class LivePrincipalOutput(LiveSessionOutput):
    """What a person may do now: of the token's scopes those that the account still has."""

    is_admin = serializers.BooleanField()
    scopes = serializers.SerializerMethodField()

    def get_scopes(self, principal: Principal) -> list[str]:
        return sorted(principal.scopes - {ADMIN_SCOPE})


class SessionOutput(serializers.ModelSerializer):
    """A session; `current` is the one that asks."""

    current = serializers.SerializerMethodField()

    class Meta:
        model = Session
        fields = ["id", "address", "user_agent", "methods", "created_at", "last_used_at", "current"]
        read_only_fields = fields

    def get_current(self, session: Session) -> bool:
        return bool(session.id == self.context["session_id"])


class PasswordChangeInput(serializers.Serializer):
    current_password = Password()
    new_password = Password(help_text="held against the password policy of users-ms")


class ForgottenPasswordInput(serializers.Serializer):
    email = fields.Email()


class PasswordResetInput(serializers.Serializer):
    token = OpaqueToken(help_text="from the mail")
    new_password = Password(help_text="held against the password policy of users-ms")


class MailedTokenInput(serializers.Serializer):
    token = OpaqueToken(help_text="from the mail")


class VerifiedEmailOutput(serializers.Serializer):
    """The address is verified."""

    email = serializers.CharField(help_text="the address of the account now")
    email_changed = serializers.BooleanField(help_text="whether it was another one before")
    first_proof = serializers.BooleanField(
        help_text="whether it is the first address that was verified: sessions and second factors from before ended"
    )


class AcceptedOutput(serializers.Serializer):
    detail = serializers.CharField()


class FactorsOutput(serializers.Serializer):
    """The second factors of the caller."""

    totp = serializers.BooleanField(help_text="whether one-time passwords are on")
    passkeys = serializers.IntegerField(help_text="how many")
    recovery_codes = serializers.IntegerField(help_text="how many are left")


class EnrolmentOutput(serializers.Serializer):
    secret = serializers.CharField(help_text="base32, to be typed into an authenticator app")
    uri = serializers.CharField(help_text="otpauth:, to be shown as a QR code")


class CodeInput(serializers.Serializer):
    code = fields.Text(max_length=64, help_text="six digits")


class RecoveryCodesOutput(serializers.Serializer):
    """Shown this once: only hashes are stored."""

    recovery_codes = serializers.ListField(
        child=serializers.CharField(), help_text="empty when the user has some already"
    )


class PasskeyOptionsInput(serializers.Serializer):
    mfa_token = OpaqueToken(required=False, help_text="of a login that waits for its second factor")


class OptionsOutput(serializers.Serializer):
    """The `publicKey` member of what navigator.credentials.create() or get() takes, as WebAuthn's own JSON."""

    challenge = serializers.CharField(help_text="base64url")


class PasskeyInput(serializers.Serializer):
    name = fields.Line(max_length=100, help_text="for its owner to tell it from others")
    credential = serializers.DictField(help_text="what navigator.credentials.create() gave, as JSON")


class PasskeyLoginInput(serializers.Serializer):
    credential = serializers.DictField(help_text="what navigator.credentials.get() gave, as JSON")


class PasskeyOutput(serializers.ModelSerializer):
    class Meta:
        model = Passkey
        fields = ["id", "name", "created_at", "last_used_at"]
        read_only_fields = fields


class NewPasskeyOutput(serializers.Serializer):
    passkey = PasskeyOutput()
    recovery_codes = serializers.ListField(
        child=serializers.CharField(), help_text="shown this once, with the first second factor; else empty"
    )


class AuditFilter(serializers.Serializer):
    """The filters of the audit log; each is exact."""

    user_id = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    event = serializers.ChoiceField(required=False, choices=AuditEvent.Event.choices)
    outcome = serializers.ChoiceField(required=False, choices=AuditEvent.Outcome.choices)


class AuditEventOutput(serializers.ModelSerializer):
    """Who, what, when, from where, and how it ended."""

    class Meta:
        model = AuditEvent
        fields = [
            "id",
            "at",
            "event",
            "outcome",
            "user_id",
            "actor_id",
            "session_id",
            "username",
            "address",
            "user_agent",
            "request_id",
            "details",
        ]
        read_only_fields = fields


class ActivityOutput(serializers.ModelSerializer):
    """What happened with an account. Where an admin acted, from where it did so is the admin's own."""

    address = serializers.SerializerMethodField()
    user_agent = serializers.SerializerMethodField()

    class Meta:
        model = AuditEvent
        fields = ["id", "at", "event", "outcome", "actor_id", "session_id", "address", "user_agent", "details"]
        read_only_fields = fields

    def get_address(self, event: AuditEvent) -> str | None:
        return None if _is_by_another(event) else event.address

    def get_user_agent(self, event: AuditEvent) -> str:
        return "" if _is_by_another(event) else event.user_agent


def _is_by_another(event: AuditEvent) -> bool:
    return event.actor_id not in (None, event.user_id)


class ExportedSessionOutput(serializers.ModelSerializer):
    class Meta:
        model = Session
        fields = ["id", "address", "user_agent", "methods", "created_at", "last_used_at", "revoked_at"]
        read_only_fields = fields


class ExportOutput(serializers.Serializer):
    """What auth-ms keeps of a user."""

    user_id = serializers.IntegerField()
    exported_at = serializers.DateTimeField()
    sessions = ExportedSessionOutput(many=True)
    totp_confirmed_at = serializers.DateTimeField(allow_null=True, help_text="none while one-time passwords are off")
    passkeys = PasskeyOutput(many=True)
    recovery_codes = serializers.IntegerField(help_text="how many are left")
    activity = ActivityOutput(many=True)


class KeyOutput(serializers.Serializer):
    """A JSON Web Key (RFC 7517) on the curve P-256."""

    kty = serializers.CharField()
    crv = serializers.CharField()
    x = serializers.CharField()
    y = serializers.CharField()
    kid = serializers.CharField()
    use = serializers.CharField()
    alg = serializers.CharField()


class KeySetOutput(serializers.Serializer):
    keys = KeyOutput(many=True)
