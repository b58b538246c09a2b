"""Examples for the OpenAPI document."""

from drf_spectacular.utils import OpenApiExample

from auth_ms.examples import TOKEN, answer_example, request_example
from auth_ms.factors.examples import CREDENTIAL, ENROLMENT, RECOVERY_CODES
from auth_ms.sessions.examples import TOKENS

LOGIN = OpenApiExample(
    "a login", value={"username": "ada@example.org", "password": "correct horse battery"}, request_only=True
)
SECOND_FACTOR_REQUIRED = answer_example(
    "a second factor is needed",
    {"mfa_required": True, "mfa_token": TOKEN, "methods": ["totp", "recovery_code"], "expires_in": 300},
)
EMAIL_LOGIN = request_example("who", {"email": "ada@example.org"})
EMAIL_LOGIN_BEGUN = answer_example("a code is on its way", {"login_token": TOKEN, "expires_in": 600}, "202")
EMAIL_CODE = request_example("the code", {"login_token": TOKEN, "code": "40921375"})
SECOND_FACTOR = request_example("a one-time password", {"mfa_token": TOKEN, "method": "totp", "code": "492039"})
ENROLMENT_REQUIRED = answer_example(
    "a second factor is required, and the user has none",
    {"enrolment_required": True, "enrolment_token": TOKEN, "factors": ["totp", "passkeys"], "expires_in": 900},
)
ENROLMENT_INPUT = request_example("the mailed code", {"enrolment_token": TOKEN, "code": "318205"})
ENROLMENT_OFFER = answer_example("an authenticator app", {"totp": ENROLMENT.value, "passkey": None})
NEW_FACTOR = request_example(
    "a first one-time password", {"enrolment_token": TOKEN, "factor": "totp", "code": "492039"}
)
ENROLLED = answer_example("tokens and recovery codes", {**TOKENS.value, **RECOVERY_CODES.value})
PASSKEY_OPTIONS_INPUT = request_example("to sign in with a passkey alone", {})
PASSKEY_LOGIN = request_example(
    "a signed challenge",
    {
        "credential": CREDENTIAL
        | {"response": {"clientDataJSON": "eyJ0eXBl", "authenticatorData": "SZYN5Yg", "signature": "MEUCIQDx"}}
    },
)
