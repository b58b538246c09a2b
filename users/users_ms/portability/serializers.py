"""The members of a line of an import, the report, and the export of one user."""

from functools import cache
from typing import Any, Self

from rest_framework import serializers

from chassis.http import fields
from chassis.security import imported_hashes
from users_ms.accounts.models import FormerAddress
from users_ms.accounts.serializers import JsonObject, Locale, Phone, Scope, TimeZone, UserOutput
from users_ms.organisations.serializers import MembershipOfUserOutput
from users_ms.portability.models import MAXIMUM_ID_LENGTH
from users_ms.scim.models import ScimUser


class ExternalId(fields.Text):
    """An id of another system: visible characters and spaces, kept as they are."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=MAXIMUM_ID_LENGTH, trim_whitespace=False, **options)

    def to_internal_value(self, data: Any) -> str:
        value = super().to_internal_value(data)
        if not value.isprintable():
            self.fail("invalid")
        return value


class PasswordHash(fields.Text):
    """A hash of another system, in its stored form; its errors do not contain it."""

    def to_internal_value(self, data: Any) -> str:
        try:
            return imported_hashes.stored_form(super().to_internal_value(data))
        except imported_hashes.InvalidHash as error:
            raise serializers.ValidationError(str(error), code="unusable_hash") from error


class ImportedUserInput(serializers.Serializer):
    """A user of another system. There is no `is_admin`: an admin is made with `make admin`."""

    external_id = ExternalId(help_text="the user's id in the other system")
    email = fields.Email()
    email_verified = fields.Boolean(
        default=False, help_text="true: the other system has verified it, and you rely on that"
    )
    name = fields.Line(max_length=100, required=False, help_text="when left out, the part of `email` before the @")
    surname = fields.Line(max_length=100, allow_blank=True, default="")
    password_hash = PasswordHash(
        required=False,
        help_text="in a format that docs/guides/move-in.md lists; when left out, a reset by email sets a password",
    )
    phone = Phone(max_length=32, allow_blank=True, default="")
    phone_verified = fields.Boolean(default=False)
    locale = Locale(max_length=35, default="en")
    time_zone = TimeZone(max_length=64, default="UTC")
    attributes = JsonObject(default=dict)
    metadata = JsonObject(default=dict)
    is_active = fields.Boolean(default=True)
    scopes = serializers.ListField(child=Scope(), default=list, max_length=32)
    created_at = serializers.DateTimeField(required=False, help_text="the sign-up there; when left out, now")

    @classmethod
    @cache
    def shared(cls) -> Self:
        """One instance, because making the fields takes longer than validating a line; it keeps nothing of a line."""
        return cls()

    @classmethod
    def names(cls) -> frozenset[str]:
        """The members that a line may have."""
        return frozenset(cls.shared().fields)

    def to_internal_value(self, data: Any) -> Any:
        """Unlike elsewhere, an unknown member is an error: one that is misspelt would be lost for every user."""
        unknown = {str(name)[:64]: ["There is no such member."] for name in data if name not in self.names()}
        if unknown:
            raise serializers.ValidationError(unknown, code="unknown")
        return super().to_internal_value(data)


class RefusalOutput(serializers.Serializer):
    """Why a line was not imported."""

    line = serializers.IntegerField(help_text="the first is 1")
    external_id = serializers.CharField(help_text="empty when the line has none")
    field = serializers.CharField(help_text="empty when the whole line is meant")
    code = serializers.CharField(help_text="such as `required`, `invalid`, `email_taken`, `unusable_hash`, `erased`")
    detail = serializers.CharField()


class ReportOutput(serializers.Serializer):
    """What became of the lines."""

    accepted = serializers.IntegerField(help_text="new users")
    unchanged = serializers.IntegerField(help_text="lines whose `external_id` was imported before")
    refused = serializers.IntegerField()
    refusals = RefusalOutput(many=True, help_text="the first 1000")


class FormerAddressOutput(serializers.ModelSerializer):
    """A former verified address, which the user may return to."""

    class Meta:
        model = FormerAddress
        fields = ["email", "reserved_until"]
        read_only_fields = fields


class ProvisionedOutput(serializers.ModelSerializer):
    """What an organisation's identity provider says of the user, beside what the account has."""

    class Meta:
        model = ScimUser
        fields = ["organisation_id", "user_name", "external_id", "email_type", "email_is_primary", "created_at"]
        read_only_fields = fields


class ExportOutput(serializers.Serializer):
    """Everything that users-ms stores about a user, except the password hash."""

    exported_at = serializers.DateTimeField()
    user = UserOutput()
    external_id = serializers.CharField(allow_null=True, help_text="the user's id in the system that it came from")
    former_addresses = FormerAddressOutput(many=True)
    memberships = MembershipOfUserOutput(many=True, help_text="organisations, at most 50")
    provisioned = ProvisionedOutput(allow_null=True, help_text="by SCIM; null for other users")
