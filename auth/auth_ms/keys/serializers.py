"""The published keys in JSON."""

from rest_framework import serializers


class KeyOutput(serializers.Serializer):
    """A JSON Web Key (RFC 7517): `crv`, `x` and `y` of ES256, or `n` and `e` of RS256."""

    kty = serializers.CharField()
    crv = serializers.CharField(required=False)
    x = serializers.CharField(required=False)
    y = serializers.CharField(required=False)
    n = serializers.CharField(required=False)
    e = serializers.CharField(required=False)
    kid = serializers.CharField()
    use = serializers.CharField()
    alg = serializers.CharField()


class KeySetOutput(serializers.Serializer):
    keys = KeyOutput(many=True)
