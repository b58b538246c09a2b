"""The errors of SCIM (RFC 7644, §3.12), and of its clients."""

from chassis.http.errors import Problem


class ScimError(Problem):
    """An error of a SCIM request; `scim_type` is a detail error keyword of RFC 7644, table 9."""

    status = 400
    title = "SCIM request rejected"

    def __init__(self, detail: str, *, scim_type: str = "", status: int = 400) -> None:
        super().__init__(detail)
        self.status = status
        self.scim_type = scim_type


class ScimClientNotFound(Problem):
    status = 404
    title = "SCIM client not found"


def invalid_value(detail: str) -> ScimError:
    """A value that is missing, or not compatible with its attribute."""
    return ScimError(detail, scim_type="invalidValue")


def taken(what: str) -> ScimError:
    """Something that must be unique belongs to another resource."""
    return ScimError(f"Another resource has this {what}.", scim_type="uniqueness", status=409)


def not_found() -> ScimError:
    """There is none, or not in the organisation of the client."""
    return ScimError("There is no such resource.", status=404)
