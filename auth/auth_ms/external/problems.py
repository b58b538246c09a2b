"""Why a sign-in with another provider fails; `reason` is for the audit log, and has no data of the provider."""

from chassis.http.errors import Problem


class ExternalFailure(Exception):
    """A sign-in that did not work; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ProviderUnavailable(ExternalFailure):
    """The provider does not answer in time, or with a server error."""


class ProviderRejected(ExternalFailure):
    """What the provider, or somebody in its name, said is not valid."""


class NotRecent(ExternalFailure):
    """A recent sign-in was needed, and the provider did not prove one."""


class Cancelled(ExternalFailure):
    """The provider answered with an error, such as `access_denied`."""


class UnknownState(Exception):
    """No sign-in of this browser at this provider is under way."""


class ProviderNotFound(Problem):
    status = 404
    title = "Provider not found"


class ProviderExists(Problem):
    status = 409
    title = "Provider exists"
    detail = "Another provider has this slug or issuer."


class ProviderInUse(Problem):
    status = 409
    title = "Provider in use"
    detail = "Users have linked identities of this provider. Disable it instead, or let them unlink these first."


class IdentityNotFound(Problem):
    status = 404
    title = "Identity not found"


class IdentityTaken(Problem):
    status = 409
    title = "Identity linked to another account"


class LastWayIn(Problem):
    status = 409
    title = "Last way in"
    detail = (
        "Without this identity nothing would open the account. Set a password (POST /auth-ms/auth/password/forgot), or"
        " add a passkey first."
    )
