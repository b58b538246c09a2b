"""The errors of changes to organisations."""

from chassis.http.errors import Problem


class OrganisationNotFound(Problem):
    """There is none, or the caller is not a member of it."""

    status = 404
    title = "Organisation not found"


class MemberNotFound(Problem):
    status = 404
    title = "Member not found"


class SlugTaken(Problem):
    status = 409
    title = "Slug already in use"
    detail = "Another organisation has this slug."


class LastOwner(Problem):
    """The organisation would be left without an owner."""

    status = 409
    title = "Last owner"
    detail = "An organisation always has an owner. Give another member the role first, or delete the organisation."


class RoleTooLow(Problem):
    """The caller's role in the organisation does not allow this."""

    status = 403
    title = "Role too low"
    detail = "Your role in this organisation does not allow this."
