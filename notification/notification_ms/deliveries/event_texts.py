"""The texts of each event: their template folder, required data, link, and which channels always get them."""

from dataclasses import dataclass

# Summarises all held-back deliveries; not a published event.
DIGEST = "digest"


@dataclass(frozen=True, kw_only=True)
class Texts:
    """The texts of an event: their template folder, required data, and the page that they link to.

    Media in `cannot_be_off` cannot be switched off: security notices, and what the user has requested.
    `any_address` allows unverified addresses; such a text contains nothing that a user has typed, except the name of
    an organisation, which only admins create.
    """

    folder: str
    needs: tuple[str, ...] = ()
    when: str | None = None  # the data member with the time of the event; the event's own time by default
    secret: str | None = None  # a token or code, encrypted for this service
    link_setting: str | None = None
    cannot_be_off: frozenset[str] = frozenset({"email"})
    any_address: bool = False
    in_digest: bool = True  # counted in the digest when held back
    is_for_others: bool = False  # sent to an address that is not the user's: the recipient is not stored
    is_farewell: bool = False  # sent to a deleted user: the recipient is not stored
    changes: frozenset[str] = frozenset()  # values of `data.change`, each with its own text
    notified_by: tuple[tuple[str, str], ...] = ()  # changes that another event notifies of


TEXTS = {
    "user_login_event": Texts(folder="login", needs=("user_agent",), when="logged_in_at", link_setting="SESSION_URL"),
    "new_user_event": Texts(folder="new_user", cannot_be_off=frozenset()),
    "password_reset_requested_event": Texts(
        folder="password_reset",
        needs=("expires_at",),
        secret="token",  # noqa: S106  # nosec B106 - the name of a member
        link_setting="PASSWORD_RESET_URL",
        any_address=True,
    ),
    "password_changed_event": Texts(folder="password_changed", needs=("user_agent",), when="changed_at"),
    "email_verification_requested_event": Texts(
        folder="email_verification",
        needs=("expires_at",),
        secret="token",  # noqa: S106  # nosec B106
        link_setting="EMAIL_VERIFICATION_URL",
        any_address=True,
        in_digest=False,
    ),
    "email_change_requested_event": Texts(
        folder="email_change",
        needs=("expires_at", "new_email"),
        secret="token",  # noqa: S106  # nosec B106
        link_setting="EMAIL_CHANGE_UNDO_URL",
    ),
    "email_sign_in_requested_event": Texts(
        folder="email_sign_in",
        needs=("expires_at",),
        secret="code",  # noqa: S106  # nosec B106
        link_setting="EMAIL_SIGN_IN_URL",
        any_address=True,
        in_digest=False,
    ),
    "account_changed_event": Texts(
        folder="account_changed",
        when="changed_at",
        changes=frozenset(
            {
                "email_change_requested",
                "email_change_cancelled",
                "email_changed",
                "email_change_undone",
                "email_verified",
                "phone_changed",
                "phone_verified",
                "rights_changed",
                "activated",
                "deactivated",
            }
        ),
        notified_by=(("email_change_requested", "email_change_requested_event"),),
    ),
    "sign_in_changed_event": Texts(
        folder="sign_in_changed",
        when="changed_at",
        changes=frozenset(
            {
                "totp_enabled",
                "totp_disabled",
                "passkey_added",
                "passkey_removed",
                "recovery_codes_renewed",
                "second_factors_removed",
                "second_factor_failures",
                "application_allowed",
                "application_disconnected",
                "identity_linked",
                "identity_unlinked",
                "personal_token_created",
                "personal_token_revoked",
                "impersonation_started",
            }
        ),
    ),
    "sign_up_repeated_event": Texts(folder="sign_up_repeated", any_address=True),
    "membership_changed_event": Texts(
        folder="membership_changed",
        needs=("organisation",),
        when="changed_at",
        changes=frozenset({"member_added", "member_updated", "member_removed"}),
    ),
    "organisation_invitation_event": Texts(
        folder="organisation_invitation",
        needs=("organisation", "expires_at"),
        secret="token",  # noqa: S106  # nosec B106
        link_setting="INVITATION_URL",
        any_address=True,
        in_digest=False,
        is_for_others=True,
    ),
    "phone_verification_requested_event": Texts(
        folder="phone_verification",
        needs=("phone", "expires_at"),
        secret="code",  # noqa: S106  # nosec B106
        cannot_be_off=frozenset({"sms"}),
        in_digest=False,
    ),
    "factor_enrolment_requested_event": Texts(
        folder="factor_enrolment",
        needs=("expires_at",),
        secret="code",  # noqa: S106  # nosec B106
        in_digest=False,
    ),
    "user_deleted_event": Texts(folder="user_deleted", when="deleted_at", is_farewell=True),
}


def may_be_switched_off(*, event: str, medium: str) -> bool:
    """False for important notices: one medium of each cannot be switched off."""
    return medium not in TEXTS[event].cannot_be_off
