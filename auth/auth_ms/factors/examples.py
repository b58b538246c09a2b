"""Examples for the OpenAPI document."""

from auth_ms.examples import TOKEN, answer_example, request_example

_CODES = ["mzxw-6ytb-oi4d-qmjr", "gi2t-4n3q-krug-k43f"]
FACTORS = answer_example(
    "second factors",
    {"totp": True, "passkeys": 0, "recovery_codes": 10, "offered": ["passkeys", "recovery_codes", "totp"]},
)
ENROLMENT = answer_example(
    "a secret",
    {
        "secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",  # pragma: allowlist secret
        "uri": "otpauth://totp/Tessera:ada%40example.org?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Tessera",
        "qr_code": ["1111111...1111111", "1000001...1000001"],
    },
    "201",
)
CODE = request_example("a one-time password", {"code": "492039"})
RECOVERY_CODES = answer_example("recovery codes", {"recovery_codes": _CODES})
OPTIONS = answer_example(
    "options for the browser",
    {
        "challenge": TOKEN,
        "timeout": 60000,
        "rpId": "localhost",
        "allowCredentials": [],
        "userVerification": "required",
    },
)
CREDENTIAL = {
    "id": "AQIDBA",
    "rawId": "AQIDBA",
    "type": "public-key",
    "response": {"clientDataJSON": "eyJ0eXBlIjoi...", "attestationObject": "o2NmbXRk..."},
}
PASSKEY_INPUT = request_example("a new passkey", {"name": "my laptop", "credential": CREDENTIAL})
PASSKEY = {"id": 1, "name": "my laptop", "created_at": "2026-01-31T12:00:00Z", "last_used_at": None}
PASSKEYS = answer_example("a passkey", PASSKEY)
NEW_PASSKEY = answer_example("the first passkey", {"passkey": PASSKEY, "recovery_codes": _CODES}, "201")
