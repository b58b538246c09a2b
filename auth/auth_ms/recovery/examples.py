"""Examples for the OpenAPI document."""

from auth_ms.examples import TOKEN, answer_example, request_example

PASSWORD_CHANGE = request_example(
    "another password", {"current_password": "correct horse battery", "new_password": "a longer staple of horses"}
)
FORGOTTEN_PASSWORD = request_example("whose password", {"email": "ada@example.org"})
PASSWORD_RESET = request_example(
    "the token and a password", {"token": TOKEN, "new_password": "a longer staple of horses"}
)
EMAIL_VERIFICATION = request_example("the token", {"token": TOKEN})
VERIFIED_EMAIL = answer_example("a new user", {"email": "ada@example.org", "email_changed": False, "first_proof": True})
ACCEPTED = answer_example("accepted", {"detail": "If there is such an account, a mail is on its way."}, "202")
