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


class DomainTaken(Problem):
    """A domain brings its users to one organisation."""

    status = 409
    title = "Domain already in use"
    detail = "Another organisation has one of these domains."


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


class TooManyRoles(Problem):
    """A member would have more roles than fit into a token."""

    status = 409
    title = "Too many roles"
    detail = "A member has at most 20 roles, one of them for each group."


class AlreadyMember(Problem):
    """A member has this address, as the list of members says too."""

    status = 409
    title = "Already a member"


class InvitationNotFound(Problem):
    status = 404
    title = "Invitation not found"
    detail = "The invitation is not valid, was used or withdrawn, or has expired. Ask for another one."


class InvitationForAnotherAddress(Problem):
    """The invited address is not the verified address of the caller's account."""

    status = 403
    title = "Invitation for another address"
    detail = "The invitation is for another email address, or yours is not verified. Sign in with the invited one."
