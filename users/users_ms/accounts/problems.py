"""The errors of changes to users."""

from chassis.http.errors import Problem


class EmailTaken(Problem):
    status = 409
    title = "Email already in use"
    detail = "Another user has this email address."


class SignUpNotAllowed(Problem):
    """This installation does not let just anyone create an account (SIGN_UP)."""

    status = 403
    title = "Sign-up not allowed"
    detail = "Accounts are created by administrators only."


class InvitationNeeded(SignUpNotAllowed):
    detail = "Accounts are created by invitation only."
    code = "sign_up_not_allowed"


class DomainNotAllowed(SignUpNotAllowed):
    detail = "Addresses of this domain cannot sign up."
    code = "sign_up_domain_not_allowed"

    def __init__(self) -> None:
        super().__init__(errors={"email": [self.detail]})


class UserNotFound(Problem):
    status = 404
    title = "User not found"


class KeyUsedForAnotherBody(Problem):
    status = 422
    title = "Idempotency-Key used before"
    detail = "This Idempotency-Key was used with another body. Take a new one for a new user."


class PasswordChangedMeanwhile(Problem):
    status = 409
    title = "The password has changed"


class EmailChangedMeanwhile(Problem):
    status = 409
    title = "The email address has changed"


class PhoneChangedMeanwhile(Problem):
    status = 409
    title = "The telephone number has changed"


class UserInactive(Problem):
    status = 409
    title = "User not active"


class UserExists(Problem):
    """The user exists already, and promotion was not requested."""

    status = 409
    title = "User exists"


class NotVerified(Problem):
    """The user's address is not verified, so the account may belong to anybody."""

    status = 409
    title = "Email not verified"
