"""Which personal access tokens there are, and which are valid."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from auth_ms.keys.services import issuing
from auth_ms.personal_tokens.models import PersonalToken
from chassis.security import personal_tokens


def tokens_of(*, user_id: int) -> QuerySet[PersonalToken]:
    """The tokens of a user, expired ones too until they are pruned."""
    return PersonalToken.objects.filter(user_id=user_id)


def valid(*, at: datetime) -> QuerySet[PersonalToken]:
    """The tokens that have not expired: by their own time, nor by a shorter PERSONAL_TOKEN_MAXIMUM_DAYS since."""
    oldest = at - timedelta(days=settings.PERSONAL_TOKEN_MAXIMUM_DAYS)
    return PersonalToken.objects.filter(expires_at__gt=at, created_at__gte=oldest)


def find(text: str, *, at: datetime) -> PersonalToken | None:
    """The valid token with this text, without a look-up for what cannot be one."""
    if not personal_tokens.is_well_formed(text):
        return None
    return valid(at=at).filter(token_hash=issuing.digest_of(text)).first()
