"""The JSON of dynamic client registration, for OpenAPI; `services/registration.py` reads and writes it."""

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from auth_ms.provider.models import OAuthClient
from auth_ms.provider.services.registration import GRANT_TYPES
from chassis.http.openapi import IGNORES_UNKNOWN_FIELDS


@extend_schema_serializer(extensions={IGNORES_UNKNOWN_FIELDS: True})  # as RFC 7591, §2 demands
class ClientMetadataInput(serializers.Serializer):
    """RFC 7591, §2, and OpenID Connect Dynamic Client Registration 1.0, §2. Other members are ignored."""

    client_id = serializers.CharField(required=False, help_text="only in a change, where it must be there")
    client_name = serializers.CharField(required=False, max_length=100)
    redirect_uris = serializers.ListField(child=serializers.CharField(), required=False, max_length=20)
    token_endpoint_auth_method = serializers.ChoiceField(choices=OAuthClient.Authentication.choices, required=False)
    grant_types = serializers.ListField(child=serializers.ChoiceField(choices=GRANT_TYPES), required=False)
    response_types = serializers.ListField(child=serializers.CharField(), required=False, help_text="code")
    scope = serializers.CharField(
        required=False, help_text="all but `roles`, `attributes` and `organization` by default"
    )
    post_logout_redirect_uris = serializers.ListField(child=serializers.CharField(), required=False, max_length=20)
    backchannel_logout_uri = serializers.CharField(required=False)
    frontchannel_logout_uri = serializers.CharField(required=False)
    logo_uri = serializers.CharField(required=False, help_text="shown, as the links, once an admin saves the client")
    client_uri = serializers.CharField(required=False)
    policy_uri = serializers.CharField(required=False)
    tos_uri = serializers.CharField(required=False)
    id_token_signed_response_alg = serializers.ChoiceField(
        choices=OAuthClient.Algorithm.choices, required=False, help_text="RS256 by default"
    )
    subject_type = serializers.ChoiceField(choices=OAuthClient.Subject.choices, required=False)
    dpop_bound_access_tokens = serializers.BooleanField(required=False)
    jwks = serializers.DictField(required=False, help_text="with private_key_jwt")
    jwks_uri = serializers.CharField(required=False, help_text="with private_key_jwt")


class ClientInformationOutput(ClientMetadataInput):
    """RFC 7591, §3.2.1: the metadata as stored, and how to manage the client."""

    client_id = serializers.CharField()
    client_id_issued_at = serializers.IntegerField(help_text="Unix time")
    client_secret = serializers.CharField(required=False, help_text="only in the answer to the registration")
    client_secret_expires_at = serializers.IntegerField(required=False, help_text="0: never")
    registration_access_token = serializers.CharField()
    registration_client_uri = serializers.CharField()
