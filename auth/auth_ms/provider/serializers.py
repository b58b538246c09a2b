"""Clients, and the JSON of the endpoints for clients."""

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from auth_ms import uris
from auth_ms.fields import URI
from auth_ms.keys import jwk
from auth_ms.provider import custom_claims, metadata, scopes
from auth_ms.provider.models import LogoutDelivery, OAuthClient
from chassis.http import fields


class _Scope(fields.Text):
    def to_internal_value(self, data: object) -> str:
        value = super().to_internal_value(data)
        if not scopes.is_grantable(value):
            raise serializers.ValidationError("Not a scope that a client may have.")
        return value


@extend_schema_field({"type": "object"})
class _KeySet(serializers.JSONField):
    """A JWK set of public keys."""

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        try:
            jwk.check_set(value)
        except jwk.InvalidKey as error:
            raise serializers.ValidationError(str(error)) from error
        return value


class _Claims(serializers.DictField):
    """Names of claims, each with its source."""

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        if len(value) > custom_claims.MAXIMUM:
            raise serializers.ValidationError(f"Must not have more than {custom_claims.MAXIMUM} claims.")
        for name, source in value.items():
            try:
                custom_claims.check(name, source)
            except custom_claims.InvalidClaim as error:
                raise serializers.ValidationError(str(error)) from error
        return value


def _uris(check: Callable[[str], None], meaning: str) -> serializers.ListField:
    return serializers.ListField(child=URI(check), required=False, max_length=20, help_text=meaning)


class ClientInput(serializers.Serializer):
    """A client; the names are those of RFC 7591, where it has one."""

    name = fields.Line(max_length=100)
    token_endpoint_auth_method = serializers.ChoiceField(
        choices=OAuthClient.Authentication.choices, default="client_secret_basic", help_text="`none`: a public client"
    )
    grant_types = serializers.ListField(
        child=serializers.ChoiceField(choices=metadata.GRANT_TYPES), default=["authorization_code"], max_length=10
    )
    redirect_uris = _uris(uris.check_redirect, "compared character by character")
    post_logout_redirect_uris = _uris(uris.check_redirect, "where a logout may lead")
    scopes = serializers.ListField(
        child=_Scope(max_length=100),
        required=False,
        max_length=100,
        help_text="that it may ask for; `admin` and `service` are never granted",
    )
    claims = _Claims(
        child=fields.Text(max_length=400),
        required=False,
        help_text="of the scope `attributes`, by name: `attributes.KEY`, which users write, or `metadata.KEY`",
    )
    resources = _uris(uris.check_resource, "audiences of its access tokens (RFC 8707); the first one is the default")
    web_origins = _uris(uris.check_origin, "pages that may call token, par, revoke and userinfo from a script (CORS)")
    backchannel_logout_uri = URI(
        uris.check_request, default="", allow_blank=True, help_text="is sent a logout token when a session ends"
    )
    backchannel_logout_session_required = fields.Boolean(
        default=False, help_text="logout tokens have `sid`; they always do"
    )
    frontchannel_logout_uri = URI(
        uris.check_frame,
        default="",
        allow_blank=True,
        help_text="is loaded in a frame at a logout in the browser; of the same origin as a redirect URI",
    )
    frontchannel_logout_session_required = fields.Boolean(
        default=False, help_text="the frame's address has `iss` and `sid`; it always does"
    )
    logo_uri = URI(
        uris.check_page, default="", allow_blank=True, help_text="an image, which the consent page loads from there"
    )
    client_uri = URI(uris.check_page, default="", allow_blank=True, help_text="its website, linked for users")
    policy_uri = URI(uris.check_page, default="", allow_blank=True, help_text="its privacy policy, linked for users")
    tos_uri = URI(uris.check_page, default="", allow_blank=True, help_text="its terms of service, linked for users")
    first_party = fields.Boolean(default=False, help_text="users are not asked for consent")
    require_pkce = fields.Boolean(
        default=True, help_text="false: a confidential client that relies on `nonce` instead (OAuth 2.1, §7.5.1)"
    )
    signing_algorithm = serializers.ChoiceField(
        choices=OAuthClient.Algorithm.choices, default="ES256", help_text="of ID tokens and access tokens"
    )
    subject_type = serializers.ChoiceField(choices=OAuthClient.Subject.choices, default="public")
    dpop_bound_access_tokens = fields.Boolean(
        default=False, help_text="its token requests need a DPoP proof (RFC 9449); others may send one"
    )
    jwks = _KeySet(default=None, allow_null=True, help_text="its public keys as a JWK set, for private_key_jwt")
    jwks_uri = URI(
        uris.check_request, default="", allow_blank=True, help_text="or where they are: https at a public address"
    )
    is_active = fields.Boolean(default=True)


class ClientOutput(serializers.ModelSerializer):
    """A registered client."""

    jwks = _KeySet(read_only=True, allow_null=True, help_text="its public keys, for private_key_jwt")
    claims = serializers.DictField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = OAuthClient
        fields = ["id", "client_id", *ClientInput().fields, "registered_by", "created_at"]
        read_only_fields = fields


class RegistrationOutput(ClientOutput):
    """A client with its new secret, which is shown only once; null for a public client."""

    client_secret = serializers.CharField(allow_null=True, source="secret")

    class Meta(ClientOutput.Meta):
        fields = [*ClientOutput.Meta.fields, "client_secret"]


class LiveClientOutput(serializers.Serializer):
    """A client that calls as itself."""

    client_id = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())


class SecretRotationInput(serializers.Serializer):
    overlap_seconds = serializers.IntegerField(
        default=86400, min_value=0, max_value=30 * 86400, help_text="for which the old secrets stay valid"
    )


class DiscoveryOutput(serializers.Serializer):
    """The members that every client uses; there are more, as OpenID Connect Discovery 1.0 and RFC 8414 define them."""

    issuer = serializers.CharField()
    authorization_endpoint = serializers.CharField()
    token_endpoint = serializers.CharField()
    jwks_uri = serializers.CharField()


class OAuthTokenOutput(serializers.Serializer):
    """RFC 6749, §5.1."""

    access_token = serializers.CharField(help_text="a JWT (RFC 9068)")
    token_type = serializers.CharField(help_text="`Bearer`, or `DPoP` for a token that is bound to a key")
    expires_in = serializers.IntegerField(help_text="seconds")
    scope = serializers.CharField(allow_blank=True)
    refresh_token = serializers.CharField(required=False)
    id_token = serializers.CharField(required=False)


class OAuthErrorOutput(serializers.Serializer):
    """RFC 6749, §5.2."""

    error = serializers.CharField()
    error_description = serializers.CharField()


class TokenInput(serializers.Serializer):
    """A form. Further members depend on the grant type; the client authenticates in the header or in the form."""

    grant_type = serializers.ChoiceField(choices=metadata.GRANT_TYPES)
    scope = serializers.CharField(required=False)
    resource = serializers.CharField(required=False, help_text="may be repeated")
    code = serializers.CharField(required=False)
    redirect_uri = serializers.CharField(required=False)
    code_verifier = serializers.CharField(required=False)
    refresh_token = serializers.CharField(required=False)
    device_code = serializers.CharField(required=False)
    client_id = serializers.CharField(required=False)
    client_secret = serializers.CharField(required=False)
    client_assertion_type = serializers.CharField(required=False, help_text="of private_key_jwt (RFC 7523, §2.2)")
    client_assertion = serializers.CharField(required=False)


class PresentedTokenInput(serializers.Serializer):
    """A form with a token; the client authenticates in the header or in the form."""

    token = serializers.CharField()
    token_type_hint = serializers.CharField(required=False)
    client_id = serializers.CharField(required=False)
    client_secret = serializers.CharField(required=False)
    client_assertion_type = serializers.CharField(required=False, help_text="of private_key_jwt (RFC 7523, §2.2)")
    client_assertion = serializers.CharField(required=False)


class OAuthIntrospectionOutput(serializers.Serializer):
    """RFC 7662, §2.2. For an inactive token, only `active`."""

    active = serializers.BooleanField()
    token_type = serializers.CharField(required=False)
    client_id = serializers.CharField(required=False)
    scope = serializers.CharField(required=False, allow_blank=True)
    sub = serializers.CharField(required=False)
    exp = serializers.IntegerField(required=False)
    org_id = serializers.CharField(required=False, help_text="with the scope `organization`")
    org_name = serializers.CharField(required=False, help_text="its name now")
    roles = serializers.ListField(child=serializers.CharField(), required=False, help_text="in that organization")


class PushedRequestInput(serializers.Serializer):
    """A form with the parameters of an authorization request (RFC 9126, §2.1)."""

    response_type = serializers.CharField(help_text="code")
    client_id = serializers.CharField()
    redirect_uri = serializers.CharField()
    scope = serializers.CharField()
    code_challenge = serializers.CharField()
    code_challenge_method = serializers.CharField(help_text="S256")
    state = serializers.CharField(required=False)
    nonce = serializers.CharField(required=False)
    organization = serializers.CharField(required=False, help_text="id or slug, with the scope `organization`")


class PushedRequestOutput(serializers.Serializer):
    """RFC 9126, §2.2."""

    request_uri = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="seconds")


class DeviceAuthorizationInput(serializers.Serializer):
    """A form (RFC 8628, §3.1); the client authenticates as at the token endpoint."""

    scope = serializers.CharField()
    resource = serializers.CharField(required=False, help_text="may be repeated")
    organization = serializers.CharField(required=False, help_text="id or slug, with the scope `organization`")
    client_id = serializers.CharField()
    client_secret = serializers.CharField(required=False)


class DeviceAuthorizationOutput(serializers.Serializer):
    """RFC 8628, §3.2."""

    device_code = serializers.CharField()
    user_code = serializers.CharField()
    verification_uri = serializers.CharField()
    verification_uri_complete = serializers.CharField(help_text="the same with the code, for a QR code")
    expires_in = serializers.IntegerField(help_text="seconds")
    interval = serializers.IntegerField(help_text="seconds between two requests to the token endpoint")


class UserInfoInput(serializers.Serializer):
    access_token = serializers.CharField(required=False)


class UserInfoOutput(serializers.Serializer):
    """OpenID Connect Core 1.0, §5.3.2; further members depend on the scopes."""

    sub = serializers.CharField()
    name = serializers.CharField(required=False)
    given_name = serializers.CharField(required=False)
    family_name = serializers.CharField(required=False)
    locale = serializers.CharField(required=False)
    zoneinfo = serializers.CharField(required=False)
    email = serializers.CharField(required=False)
    email_verified = serializers.BooleanField(required=False)
    phone_number = serializers.CharField(required=False)
    phone_number_verified = serializers.BooleanField(required=False)
    roles = serializers.ListField(child=serializers.CharField(), required=False)
    org_id = serializers.CharField(required=False)
    org_name = serializers.CharField(required=False)


class ConsentOutput(serializers.Serializer):
    """An application that the user has allowed something; links are empty while nobody has checked them."""

    id = serializers.IntegerField()
    client_id = serializers.CharField(source="client.client_id")
    name = serializers.CharField(source="client.name")
    client_uri = serializers.CharField(source="client.presentation.client_uri")
    policy_uri = serializers.CharField(source="client.presentation.policy_uri")
    tos_uri = serializers.CharField(source="client.presentation.tos_uri")
    scopes = serializers.ListField(child=serializers.CharField())
    resources = serializers.ListField(child=serializers.CharField())
    given_at = serializers.DateTimeField()


class ConsentInput(serializers.Serializer):
    scopes = serializers.ListField(
        child=fields.Text(max_length=100), max_length=100, help_text="those that stay allowed; with `openid`, if it is"
    )


class LogoutDeliveryFilter(serializers.Serializer):
    """The filters of the log of deliveries; each matches exactly."""

    client_id = fields.Text(required=False, max_length=64)
    status = serializers.ChoiceField(required=False, choices=LogoutDelivery.Status.choices)


class LogoutDeliveryOutput(serializers.ModelSerializer):
    """A back-channel logout of one session at one client."""

    client_id = serializers.CharField(source="client.client_id")

    class Meta:
        model = LogoutDelivery
        fields = [
            "id",
            "client_id",
            "user_id",
            "session_id",
            "status",
            "attempts",
            "last_error",
            "created_at",
            "attempted_at",
            "give_up_at",
        ]
        read_only_fields = fields
