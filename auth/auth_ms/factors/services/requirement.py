"""Whether this installation requires a second factor of its users (settings.SECOND_FACTOR_REQUIRED)."""

from django.conf import settings

from auth_ms.factors import selectors
from auth_ms.factors.models import TOTP, Passkey
from auth_ms.factors.problems import LastSecondFactor


def lock_factors(*, user_id: int) -> None:
    """Lock the factors of a user until the caller's transaction ends, so that two requests do not remove one each."""
    for model in (TOTP, Passkey):
        list(model.objects.select_for_update().filter(user_id=user_id).order_by("pk").values_list("pk"))


def check_one_is_left(*, user_id: int) -> None:
    """To be called when a factor has been deleted, after `lock_factors`. Raises LastSecondFactor."""
    if settings.SECOND_FACTOR_REQUIRED and not selectors.status_of(user_id=user_id).has_factor:
        raise LastSecondFactor
