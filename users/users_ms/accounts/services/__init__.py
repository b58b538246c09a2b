"""Use cases that change users."""

from users_ms.accounts.problems import (
    DomainNotAllowed,
    EmailChangedMeanwhile,
    EmailTaken,
    KeyUsedForAnotherBody,
    NotVerified,
    PasswordChangedMeanwhile,
    PhoneChangedMeanwhile,
    SignUpNotAllowed,
    UserExists,
    UserInactive,
    UserNotFound,
)
from users_ms.accounts.services.administration import check_admin, make_admin, prune
from users_ms.accounts.services.passwords import PasswordChange, change_password, renew_password_hash
from users_ms.accounts.services.profiles import delete_user, update_user
from users_ms.accounts.services.registration import (
    add_users,
    create_provisioned_user,
    create_user,
    create_user_without_password,
    sign_up,
)
from users_ms.accounts.services.verification import (
    EmailProof,
    set_verified_email,
    undo_email_change,
    verify_email,
    verify_phone,
)

__all__ = [
    "DomainNotAllowed",
    "EmailChangedMeanwhile",
    "EmailProof",
    "EmailTaken",
    "KeyUsedForAnotherBody",
    "NotVerified",
    "PasswordChange",
    "PasswordChangedMeanwhile",
    "PhoneChangedMeanwhile",
    "SignUpNotAllowed",
    "UserExists",
    "UserInactive",
    "UserNotFound",
    "add_users",
    "change_password",
    "check_admin",
    "create_provisioned_user",
    "create_user",
    "create_user_without_password",
    "delete_user",
    "make_admin",
    "prune",
    "renew_password_hash",
    "set_verified_email",
    "sign_up",
    "undo_email_change",
    "update_user",
    "verify_email",
    "verify_phone",
]
