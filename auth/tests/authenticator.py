"""A software authenticator (https://www.w3.org/TR/webauthn-3/#sctn-authenticator-model), instead of a security key."""

import hashlib
import json
import secrets
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

USER_PRESENT, USER_VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Authenticator:
    """One passkey in one authenticator, used from a page at `origin`."""

    def __init__(
        self, *, origin: str = "http://localhost:8080", verifies_user: bool = True, counts: bool = True
    ) -> None:
        self.origin = origin
        self.flags = USER_PRESENT | (USER_VERIFIED if verifies_user else 0)
        self.credential_id = secrets.token_bytes(32)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.sign_count = 0
        self.counts = counts  # a passkey that is synchronised between devices does not count
        self.user_handle: str | None = None

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """The result of `navigator.credentials.create()`, as JSON."""
        self.user_handle = options["user"]["id"]
        numbers = self.key.public_key().public_numbers()
        public_key = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        credential = bytes(16) + struct.pack(">H", len(self.credential_id)) + self.credential_id
        data = self._authenticator_data(options["rp"]["id"], self.flags | ATTESTED) + credential
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data + cbor2.dumps(public_key)})
        client_data = self._client_data("webauthn.create", options["challenge"])
        return self._credential({"clientDataJSON": encode(client_data), "attestationObject": encode(attestation)})

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """The result of `navigator.credentials.get()`, as JSON."""
        self.sign_count += self.counts
        data = self._authenticator_data(options["rpId"], self.flags)
        client_data = self._client_data("webauthn.get", options["challenge"])
        signature = self.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))
        signed = {
            "clientDataJSON": encode(client_data),
            "authenticatorData": encode(data),
            "signature": encode(signature),
        }
        return self._credential(signed | ({"userHandle": self.user_handle} if self.user_handle else {}))

    def _authenticator_data(self, rp_id: str, flags: int) -> bytes:
        return hashlib.sha256(rp_id.encode()).digest() + struct.pack(">BI", flags, self.sign_count)

    def _client_data(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()

    def _credential(self, response: dict[str, str]) -> dict[str, Any]:
        identifier = encode(self.credential_id)
        return {"id": identifier, "rawId": identifier, "type": "public-key", "response": response}
