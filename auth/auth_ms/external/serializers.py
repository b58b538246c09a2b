"""Providers and identities in JSON."""

import re
from typing import Any

from django.conf import settings
from rest_framework import serializers

from auth_ms.external.models import ExternalIdentity, ExternalProvider
from auth_ms.external.services import code_flow
from chassis.http import fields, outgoing

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+", re.ASCII)  # RFC 6749, §3.3


class _Slug(fields.Text):
    def to_internal_value(self, data: Any) -> str:
        value = super().to_internal_value(data)
        if not _SLUG.fullmatch(value):
            raise serializers.ValidationError("Must be of small letters and digits, with single hyphens between them.")
        return value


class _Issuer(fields.Text):
    def to_internal_value(self, data: Any) -> str:
        value = super().to_internal_value(data)
        try:
            outgoing.check(value, private_networks=settings.PRIVATE_CLIENT_NETWORKS)
        except outgoing.RefusedURL as error:
            raise serializers.ValidationError(str(error)) from error
        if "?" in value:
            raise serializers.ValidationError("Must not have a query.")
        return value


class _Scope(fields.Text):
    def to_internal_value(self, data: Any) -> str:
        value = super().to_internal_value(data)
        if not _SCOPE.fullmatch(value):
            raise serializers.ValidationError("Must be one scope, such as email.")
        return value


class _Secret(fields.Text):
    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=1000, trim_whitespace=False, write_only=True, **options)


class ProviderChange(serializers.Serializer):
    """What may change of a provider; slug and issuer may not, because identities belong to them."""

    name = fields.Line(max_length=60, help_text="on the button")
    client_id = fields.Line(max_length=255, help_text="of Tessera, as the provider has registered it")
    client_secret = _Secret(required=False, help_text="never shown again; without it, the stored one stays")
    scopes = serializers.ListField(
        child=_Scope(max_length=100), default=list, max_length=20, help_text="when empty, those that its kind needs"
    )
    trusts_email = fields.Boolean(
        default=False, help_text="new accounts have a verified address when the provider says `email_verified`"
    )
    counts_as_second_factor = fields.Boolean(
        default=False, help_text="a sign-in with `mfa` in the provider's `amr` needs no second factor here"
    )
    creates_accounts = fields.Boolean(default=True, help_text="for users whose address has no account")
    enabled = fields.Boolean(default=True)
    team_id = fields.Line(max_length=20, default="", allow_blank=True, help_text="for Apple")
    key_id = fields.Line(max_length=20, default="", allow_blank=True, help_text="for Apple: of the private key")


class ProviderInput(ProviderChange):
    """A provider with an OpenID Connect discovery document, GitHub, or Apple."""

    kind = serializers.ChoiceField(ExternalProvider.Kind.choices, default=ExternalProvider.Kind.OPENID)
    slug = _Slug(max_length=40, help_text="part of the redirect URI that is registered at the provider")
    issuer = _Issuer(
        max_length=500,
        help_text="https at a public address, as the discovery document says it; https://github.com for GitHub",
    )
    client_secret = _Secret(help_text="never shown again; for Apple the private key, in PEM")


class ProviderOutput(serializers.ModelSerializer):
    """A provider, without its secret."""

    scopes = serializers.ListField(child=serializers.CharField(), read_only=True)
    redirect_uri = serializers.SerializerMethodField(help_text="to register at the provider")

    class Meta:
        model = ExternalProvider
        fields = [
            "id",
            "kind",
            "slug",
            "name",
            "issuer",
            "client_id",
            "team_id",
            "key_id",
            "scopes",
            "trusts_email",
            "counts_as_second_factor",
            "creates_accounts",
            "enabled",
            "redirect_uri",
            "created_at",
        ]
        read_only_fields = fields

    def get_redirect_uri(self, provider: ExternalProvider) -> str:
        return code_flow.redirect_uri(provider)


class OfferedProviderOutput(serializers.ModelSerializer):
    """A provider that sign-in pages offer: `/auth-ms/oauth/external/{slug}` begins."""

    class Meta:
        model = ExternalProvider
        fields = ["slug", "name"]
        read_only_fields = fields


class OfferedProvidersOutput(serializers.Serializer):
    providers = OfferedProviderOutput(many=True)


class IdentityOutput(serializers.ModelSerializer):
    """An identity at a provider; `email` is what the provider last said."""

    provider = serializers.CharField(source="provider.slug", read_only=True)
    name = serializers.CharField(source="provider.name", read_only=True, help_text="of the provider")

    class Meta:
        model = ExternalIdentity
        fields = ["id", "provider", "name", "email", "linked_at", "last_used_at"]
        read_only_fields = fields
