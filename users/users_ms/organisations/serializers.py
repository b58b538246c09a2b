"""Input and output of organisations."""

import re
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from chassis.http import email_addresses, fields
from users_ms.accounts.models import User
from users_ms.accounts.serializers import Locale, Password, TimeZone, check_password_policy
from users_ms.organisations import roles, selectors
from users_ms.organisations.models import (
    MAXIMUM_DOMAIN_LENGTH,
    MAXIMUM_SLUG_LENGTH,
    Invitation,
    Membership,
    Organisation,
)

_SLUG = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?", re.ASCII)
_ROLE = re.compile(roles.PATTERN, re.ASCII)


class Slug(fields.Text):
    """Small letters, digits and hyphens, beginning with a letter, so that no slug looks like an id."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=MAXIMUM_SLUG_LENGTH, **options)

    def to_internal_value(self, data: Any) -> str:
        value = super().to_internal_value(data)
        if not _SLUG.fullmatch(value):
            raise serializers.ValidationError("Must be of a-z, 0-9 and -, and begin with a letter, such as acme-corp.")
        return value


class Role(fields.Text):
    """`owner`, `admin`, `member`, or a name that a product defines."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=roles.MAXIMUM_LENGTH, **options)

    def to_internal_value(self, data: Any) -> str:
        value = super().to_internal_value(data)
        if not _ROLE.fullmatch(value):
            raise serializers.ValidationError("Must be of letters, digits and . : / _ - such as billing:read.")
        return value


class Roles(serializers.ListField):
    """Exactly one built-in role, and perhaps others."""

    child = Role()

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=roles.MAXIMUM, **options)

    def to_internal_value(self, data: Any) -> list[str]:
        given = list(dict.fromkeys(super().to_internal_value(data)))
        if sum(role in roles.RANKS for role in given) != 1:
            raise serializers.ValidationError("Must have exactly one of owner, admin and member.")
        return given


class OrganisationInput(serializers.Serializer):
    """A new organisation."""

    name = fields.Line(max_length=100)
    slug = Slug(help_text="its name in addresses and in authorization requests; it never changes")
    owner_id = serializers.IntegerField(min_value=1, max_value=2**63 - 1, help_text="the user who is its first owner")


class OrganisationChange(serializers.Serializer):
    name = fields.Line(max_length=100)


class OrganisationFilter(serializers.Serializer):
    search = serializers.CharField(required=False, max_length=100, help_text="prefix of name or slug")
    ownerless = serializers.BooleanField(default=False, help_text="only those whose last owner deleted their account")


class OrganisationOutput(fields.Output):
    """An organisation as its members and administrators see it."""

    roles = serializers.ListField(
        child=serializers.CharField(), source="own_roles", allow_null=True, help_text="the caller's; null for none"
    )

    class Meta:
        model = Organisation
        fields = ["id", "name", "slug", "roles", "created_at", "updated_at"]
        read_only_fields = fields


class Domain(fields.Text):
    """A domain of email addresses, stored in ASCII and lower case."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=MAXIMUM_DOMAIN_LENGTH, **options)

    def to_internal_value(self, data: Any) -> str:
        value = super().to_internal_value(data)
        try:
            return email_addresses.parse(f"any@{value}").canonical.rpartition("@")[2]
        except email_addresses.InvalidAddress as error:
            raise serializers.ValidationError("Must be a domain such as example.org.") from error


class Domains(serializers.Serializer):
    """Whose verified addresses join an organisation."""

    domains = serializers.ListField(
        child=Domain(), max_length=50, help_text="exactly these, without their subdomains; never one of a mail provider"
    )


class MembershipInput(serializers.Serializer):
    roles = Roles(help_text="one of owner, admin and member, and up to 19 that products define")


class MembershipOutput(fields.Output):
    """A member as those who manage members see it: name and address, and nothing else of the account."""

    name = serializers.CharField(source="user.name")
    surname = serializers.CharField(source="user.surname")
    email = serializers.CharField(source="user.email")
    roles = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = Membership
        fields = ["user_id", "name", "surname", "email", "roles", "created_at"]
        read_only_fields = fields


class MembershipsQuery(serializers.Serializer):
    organisation = serializers.CharField(
        required=False, default="", max_length=MAXIMUM_SLUG_LENGTH, help_text="id or slug; all when left out"
    )


class MembershipOfUserOutput(serializers.Serializer):
    organisation_id = serializers.IntegerField()
    slug = serializers.CharField()
    name = serializers.CharField()
    roles = serializers.ListField(child=serializers.CharField())


class MembershipsOutput(serializers.Serializer):
    """The organisations of a user and the roles there, as they are now."""

    memberships = MembershipOfUserOutput(many=True, help_text="at most 50")


class InvitationInput(MembershipInput):
    """Whom to invite, and to what."""

    email = fields.Email()


class InvitationOutput(fields.Output):
    """An invitation that nobody has accepted. The token is in the mail alone."""

    roles = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = Invitation
        fields = ["id", "email", "roles", "created_at", "expires_at"]
        read_only_fields = fields


class TokenInput(serializers.Serializer):
    token = fields.Text(max_length=64, help_text="of the mail")


class InvitationSignUp(TokenInput):
    """A new account for the invited address."""

    name = fields.Line(max_length=100)
    surname = fields.Line(max_length=100)
    password = Password()
    locale = Locale(max_length=35, required=False)
    time_zone = TimeZone(max_length=64, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Raises InvitationNotFound too: the password must not be made of the invited address."""
        invitation = selectors.find_invitation(attrs["token"], at=timezone.now())
        user = User(name=attrs["name"], surname=attrs["surname"], email=invitation.email)
        check_password_policy(attrs["password"], user=user)
        return attrs


class InvitationForRecipientOutput(serializers.Serializer):
    """What who has the token may know."""

    organisation = serializers.CharField(source="organisation.name")
    email = serializers.CharField(help_text="the invited address")
    roles = serializers.ListField(child=serializers.CharField())
    expires_at = serializers.DateTimeField()
