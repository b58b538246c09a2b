"""The published keys in JSON."""

from rest_framework import serializers


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
