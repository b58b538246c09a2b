"""Input and output of the clients of an organisation. The contract of SCIM itself is RFC 7643."""

import re
from typing import Any

from rest_framework import serializers

from chassis.http import email_addresses, fields
from users_ms.scim.models import ANY_DOMAIN, MAXIMUM_DOMAINS, ScimClient


class Domain(fields.Text):
    """A domain of email addresses, stored as addresses are compared; or `*` for all."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=253, **options)

    def to_internal_value(self, data: Any) -> str:
        value = super().to_internal_value(data)
        if value == ANY_DOMAIN:
            return value
        try:
            if not re.search(r"[^.\s@]\.[^.\s@]", value):
                raise email_addresses.InvalidAddress
            return email_addresses.parse(f"a@{value}").canonical.rpartition("@")[2]
        except email_addresses.InvalidAddress as error:
            raise serializers.ValidationError("Must be a domain such as example.org, or * for all.") from error


class ScimClientInput(serializers.Serializer):
    """A new client of an organisation."""

    name = fields.Line(max_length=60, help_text="such as that of the identity provider")
    domains = serializers.ListField(
        child=Domain(),
        allow_empty=False,
        max_length=MAXIMUM_DOMAINS,
        help_text="of the addresses that it may give to users, which count as verified: domains that the organisation"
        " owns; * for all, where it may decide on every address",
    )


class ScimClientOutput(fields.Output):
    """A client; its token is shown only when it is made."""

    class Meta:
        model = ScimClient
        fields = ["id", "name", "domains", "created_at", "last_used_at"]
        read_only_fields = fields


class CreatedScimClientOutput(ScimClientOutput):
    """A new client with its token."""

    token = serializers.CharField(help_text="begins with tsr_scim_; it cannot be shown again")

    class Meta:
        model = ScimClient
        fields = [*ScimClientOutput.Meta.fields, "token"]
        read_only_fields = fields


class ScimErrorOutput(serializers.Serializer):
    """An error, as RFC 7644, §3.12, describes it."""

    schemas = serializers.ListField(child=serializers.CharField())
    status = serializers.CharField()
    scimType = serializers.CharField(required=False)  # noqa: N815 - of the specification
    detail = serializers.CharField()
