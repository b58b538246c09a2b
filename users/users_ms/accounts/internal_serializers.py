"""Input and output of the routes for other services."""

from typing import Any

from rest_framework import serializers

from chassis.http import email_addresses, fields
from chassis.http.client_address import MAXIMUM_USER_AGENT_LENGTH
from chassis.security import imported_hashes
from users_ms.accounts.models import User
from users_ms.accounts.serializers import Locale, Password, check_password_policy


class _FromClient(serializers.Serializer):
    """The client address and user agent of the request to auth-ms."""

    address = fields.Text(required=False, allow_null=True, max_length=45, help_text="the IP address of the client")
    user_agent = fields.Text(required=False, allow_blank=True, max_length=MAXIMUM_USER_AGENT_LENGTH)


class NewPassword(_FromClient):
    """A new password of the user in the context, or with `rehash_of` the same one, rehashed at the current cost."""

    password = Password(min_length=1)  # the policy has the minimum of new ones
    rehash_of = fields.Text(
        required=False,
        max_length=imported_hashes.MAXIMUM_LENGTH,
        help_text="the hash that the new one takes the place of",
    )
    change_id = fields.UUID(required=False, help_text="made up by the caller; a change happens once")
    reason = serializers.ChoiceField(choices=["change", "reset"], required=False)
    proven_email = fields.Text(
        required=False,
        max_length=email_addresses.MAXIMUM_LENGTH,
        help_text="the address whose mail the user has shown to read",
    )
    replaces_version = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        help_text="the `password_version` that the caller has compared",
    )
    kept_session_id = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=2**63 - 1, help_text="the session that goes on"
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "rehash_of" in attrs:
            return attrs  # however short: an imported password may be older than the policy
        missing = {name: ["This field is required."] for name in ("change_id", "reason") if name not in attrs}
        if missing:
            raise serializers.ValidationError(missing)
        user: User = self.context["user"]
        if attrs["change_id"] != user.password_change_id:  # otherwise it was validated before
            check_password_policy(attrs["password"], user=user)
        return attrs


class PasswordChangeOutput(serializers.Serializer):
    """The outcome of a password change."""

    first_proof = serializers.BooleanField(help_text="it was the first proof of the address")
    password_version = serializers.IntegerField()


class GivenEmail(_FromClient):
    """An address that may have been stored before the current rules for addresses."""

    email = fields.Text(max_length=email_addresses.MAXIMUM_LENGTH)


class VerifiedEmail(GivenEmail):
    """An address whose mail the user reads."""

    ends_password = fields.Boolean(
        required=False, help_text="whether a first proof of the user's address makes the password unusable"
    )


class EmailProofOutput(serializers.Serializer):
    """The outcome of the verification of an address."""

    first_proof = serializers.BooleanField(help_text="no address of the account was verified before")
    email_changed = serializers.BooleanField(help_text="the pending address has taken the place of the old one")
    email = serializers.CharField(help_text="the user's address now")
    verified_at = serializers.DateTimeField(help_text="`changed_at` of the event that follows, if any")


class UndoneEmailChangeOutput(serializers.Serializer):
    restored = serializers.BooleanField(
        help_text="the old address is back, and the password no longer opens the account"
    )


class VerifiedPhone(_FromClient):
    phone = fields.Text(max_length=16)


class FederatedUserInput(_FromClient):
    """A user whom another provider has signed in, as it describes them."""

    key = fields.Text(max_length=64, help_text="made up by the caller; one key creates one user")
    name = fields.Line(max_length=100)
    surname = fields.Line(max_length=100, allow_blank=True)
    email = fields.Email()
    email_verified = fields.Boolean(help_text="the provider is trusted to have verified the address")
    locale = Locale(max_length=35, required=False)


class RightsOutput(fields.Output):
    """The current rights of a user."""

    class Meta:
        model = User
        fields = ["is_active", "is_admin", "scopes", "email_verified"]
        read_only_fields = fields


class DeletionOutput(serializers.Serializer):
    deleted = serializers.BooleanField(help_text="that id was given to a user who is no longer there")


class CredentialsQuery(serializers.Serializer):
    """Either of the two."""

    email = serializers.CharField(required=False, max_length=254)
    user_id = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    attributes = serializers.BooleanField(default=False, help_text="the user's `attributes` and `metadata` too")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("email" in attrs) == ("user_id" in attrs):
            raise serializers.ValidationError({"email": ["Give either email or user_id."]})
        return attrs


class CredentialsOutput(fields.Output):
    """What auth-ms needs to sign a user in; the only output with the password hash."""

    class Meta:
        model = User
        fields = [
            "id",
            "email",
            "password_hash",
            "name",
            "surname",
            "phone",
            "phone_verified",
            "locale",
            "time_zone",
            "is_active",
            "is_admin",
            "scopes",
            "email_verified",
            "pending_email",
            "password_version",
            "password_change_id",
        ]
        read_only_fields = fields


class CredentialsWithAttributesOutput(CredentialsOutput):
    """The same with up to 16 KiB of data of products, which few sign-ins need; so both are optional in the schema."""

    attributes = serializers.JSONField(required=False)
    metadata = serializers.JSONField(required=False)

    class Meta(CredentialsOutput.Meta):
        fields = [*CredentialsOutput.Meta.fields, "attributes", "metadata"]
        read_only_fields = fields
