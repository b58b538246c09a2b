"""Why a second factor cannot be used or changed."""

from chassis.http.errors import InvalidInput, Problem


class SecondFactorBlocked(Problem):
    status = 403
    title = "Second factor blocked"
    detail = (
        "There were too many wrong codes in a row. Use another second factor or a recovery code, or set a new password"
        " with the link in a mail."
    )


class FactorNotOffered(Problem):
    """This installation does not let users add this kind of factor (FACTORS)."""

    status = 403
    title = "Factor not offered"
    detail = "This kind of second factor cannot be added here."
    code = "factor_not_offered"


class LastSecondFactor(Problem):
    """This installation requires a second factor (SECOND_FACTOR_REQUIRED)."""

    status = 409
    title = "Last second factor"
    detail = "A second factor is required here, and this is your last one. Add another one first."
    code = "last_second_factor"


class AlreadyEnrolled(Problem):
    status = 409
    title = "Already enrolled"
    detail = "One-time passwords are already enabled. Disable them first."


class NotEnrolled(Problem):
    status = 404
    title = "Not enrolled"


class WrongCode(InvalidInput):
    def __init__(self) -> None:
        super().__init__(errors={"code": ["This code is wrong or was already used."]})
