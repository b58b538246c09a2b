"""Authlib's client: prints where the browser goes, reads where it came back to, prints what it learned as JSON."""

import json
import os
import sys
from urllib.parse import urlencode

from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, jwt
from authlib.oidc.core import CodeIDToken

issuer, client_id, secret, callback = (
    os.environ[name] for name in ("ISSUER", "CLIENT_ID", "CLIENT_SECRET", "CALLBACK")
)
session = OAuth2Session(client_id, secret, scope="openid email", redirect_uri=callback, code_challenge_method="S256")
metadata = session.get(f"{issuer}/.well-known/openid-configuration", withhold_token=True).json()
verifier, nonce = generate_token(64), generate_token()
url, state = session.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
print(url, flush=True)
came_back = sys.stdin.readline().strip()
tokens = session.fetch_token(
    metadata["token_endpoint"], authorization_response=came_back, code_verifier=verifier, state=state
)
keys = JsonWebKey.import_key_set(session.get(metadata["jwks_uri"], withhold_token=True).json())
claims = jwt.decode(tokens["id_token"], keys, claims_cls=CodeIDToken, claims_params={"nonce": nonce})
claims.validate(leeway=5)
userinfo = session.get(metadata["userinfo_endpoint"]).json()
refreshed = session.refresh_token(metadata["token_endpoint"])
told = session.introspect_token(metadata["introspection_endpoint"], token=refreshed["access_token"]).json()
session.revoke_token(metadata["revocation_endpoint"], token=refreshed["refresh_token"])
after = session.introspect_token(metadata["introspection_endpoint"], token=refreshed["access_token"]).json()
machine = OAuth2Session(client_id, secret).fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
print(
    json.dumps(
        {
            "issuer": claims["iss"],
            "email": claims["email"],
            "userinfo": userinfo["email"],
            "active": told["active"],
            "active_after_revocation": after["active"],
            "machine": machine["token_type"],
            "end_session": f"{metadata['end_session_endpoint']}?{urlencode({'id_token_hint': tokens['id_token']})}",
        }
    )
)
