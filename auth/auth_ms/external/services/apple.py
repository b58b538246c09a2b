"""Sign in with Apple: OpenID Connect, with a client secret that is signed here, and names beside the ID token.

https://developer.apple.com/documentation/signinwithapplerestapi
"""

import dataclasses
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import ClassVar

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from auth_ms.external.services import code_flow
from auth_ms.external.services.code_flow import Person
from auth_ms.external.services.openid import OpenID
from chassis.http import strict_json
from chassis.http.errors import InvalidInput

SECRET_LIFE = timedelta(minutes=5)  # Apple allows six months; here each request has a secret of its own


class Apple(OpenID):
    """`client_id` is the identifier of a Services ID; the stored secret is the private key of `key_id`, in PEM."""

    scopes: ClassVar[list[str]] = ["name", "email"]
    needs_openid: ClassVar[bool] = False  # there is an ID token in any case
    response_mode: ClassVar[str] = "form_post"  # required where name or email is asked for

    def check(self, *, secret: str | None) -> None:
        missing = [name for name in ("team_id", "key_id") if not getattr(self.provider, name)]
        if missing:
            raise InvalidInput(errors={name: ["Required for Apple."] for name in missing})
        if secret is not None and not _is_key(secret):
            raise InvalidInput(errors={"client_secret": ["Must be a private key for ES256, in PEM."]})
        super().check(secret=secret)

    def person_of(self, response: Mapping[str, str], *, state: str, since: datetime | None, at: datetime) -> Person:
        person = super().person_of(response, state=state, since=since, at=at)
        name, surname = _names(response.get("user", ""))
        return dataclasses.replace(person, name=name or person.name, surname=surname or person.surname)

    def client_secret(self, *, at: datetime) -> str:
        claims = {
            "iss": self.provider.team_id,
            "iat": at,
            "exp": at + SECRET_LIFE,
            "aud": self.provider.issuer,
            "sub": self.provider.client_id,
        }
        return jwt.encode(claims, super().client_secret(at=at), "ES256", {"kid": self.provider.key_id})


def _is_key(pem: str) -> bool:
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1)


def _names(user: str) -> tuple[str, str]:
    """The names in the parameter `user`, which comes once, unsigned, at the user's first sign-in."""
    try:
        name = strict_json.loads(user.encode())["name"]
        return code_flow.line(name.get("firstName")), code_flow.line(name.get("lastName"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", ""
