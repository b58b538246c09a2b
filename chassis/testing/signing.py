"""A signing key for tests, and tokens signed with it, valid and forged."""

import time
import uuid
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from chassis.security import public_keys, tokens


class SigningKeys:
    """A key source with one key, in place of auth-ms."""

    kid = "test-key"

    def __init__(self) -> None:
        self.private_key = ec.generate_private_key(ec.SECP256R1())
        algorithm = jwt.get_algorithm_by_name("ES256")
        self.members = algorithm.to_jwk(self.private_key.public_key(), as_dict=True) | {
            "kid": self.kid,
            "alg": "ES256",
            "use": "sig",
        }

    def key(self, kid: str) -> jwt.PyJWK:
        if kid != self.kid:
            raise public_keys.UnknownKey(kid)
        return jwt.PyJWK(self.members)

    def user_token(self, *, user_id: int, admin: bool = False, **changes: Any) -> str:
        """A user's access token, as auth-ms issues it; `changes` replace claims, None removes one."""
        scope = "admin" if admin else ""
        claims = {"sub": str(user_id), "aud": "tessera", "sid": "1", "scope": scope, "auth_time": int(time.time())}
        return self.sign(claims | changes)

    def client_token(self, *, service: str, scope: str, **changes: Any) -> str:
        """The token of a client that calls `service` as itself; `changes` replace claims, None removes one."""
        address = "http://localhost:8080"
        claims = {"iss": address, "sub": "a-client", "client_id": "a-client", "aud": f"{address}/{service}"}
        return self.sign(claims | {"scope": scope} | changes)

    def service_token(self, *, audience: str, **changes: Any) -> str:
        """A service's access token, as auth-ms issues it; `changes` replace claims, None removes one."""
        return self.sign({"sub": "auth-ms", "aud": audience, "scope": "service"} | changes)

    def sign(
        self,
        claims: dict[str, Any],
        *,
        kid: str | None = None,
        key: Any = None,
        algorithm: str = "ES256",
        typ: str = tokens.TYPE,
    ) -> str:
        now = int(time.time())
        standard = {"iss": "tessera", "iat": now, "exp": now + 60, "jti": uuid.uuid4().hex}
        complete = {name: value for name, value in (standard | claims).items() if value is not None}
        return jwt.encode(
            complete, key or self.private_key, algorithm=algorithm, headers={"kid": kid or self.kid, "typ": typ}
        )
