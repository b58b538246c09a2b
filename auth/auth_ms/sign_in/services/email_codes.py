"""Sign-in without a password, by a code that is sent to the address of the account; off unless EMAIL_SIGN_IN says so.

A code works once, for ten minutes, five attempts, and only for whoever asked for it: the asker keeps a secret and sends
it along with the code. So a code that is read over a shoulder, forwarded, or opened by a mail scanner signs nobody in
elsewhere. It is one factor: the second one of an account is asked for as after a password.
"""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NoReturn

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.dispatch import Signal
from django.utils.crypto import constant_time_compare, salted_hmac

from auth_ms import users_client
from auth_ms.audit import services as audit
from auth_ms.events import encrypt
from auth_ms.keys.services import issuing
from auth_ms.sessions import services as sessions
from auth_ms.sessions.services import TokenPair
from auth_ms.sign_in import events
from auth_ms.sign_in.models import EmailCode
from auth_ms.sign_in.services import admission, lockout, login
from auth_ms.sign_in.services.login import Pending, WrongCredentials
from auth_ms.users_client import Credentials
from chassis.http import email_addresses
from chassis.http.client_address import Client
from chassis.http.errors import Problem, TooManyRequests
from chassis.operations import pruning
from chassis.outbox import services as outbox
from chassis.security.rate_limits import services as rate_limits

CODE_LIFE = timedelta(minutes=10)  # ASVS 5.0, 6.5.5
CODE_LENGTH = 8
CODE_ATTEMPTS = 5
# Mails to an address: for each network that asks, so that one stranger leaves some to the owner; then over all of them.
# Twenty a day with five attempts each are 100 guesses at 10**8 codes.
MAILS_FOR_A_CLIENT = rate_limits.Limit(name="email_codes_for_a_client", times=3, seconds=3600)
MAILS_OF_AN_HOUR = rate_limits.Limit(name="email_codes_of_an_hour", times=5, seconds=3600)
MAILS_OF_A_DAY = rate_limits.Limit(name="email_codes_of_a_day", times=20, seconds=24 * 3600)

# Arguments: `user_id`, `client`, and `at`, the time. What was set up before the first proof of the address has to end.
address_proven = Signal()


@dataclass(frozen=True, kw_only=True)
class Asker:
    """Who asks for a code and may use it: the holder of `secret`.

    On a sign-in page that is a browser, with the `request_token` of the page's forms.
    """

    secret: str
    browser: str = ""
    request_token: str = ""

    @classmethod
    def on_page(cls, *, browser: str, request_token: str) -> "Asker":
        """This browser, for this authorization request."""
        return cls(secret=f"{request_token} {browser}", browser=browser, request_token=request_token)


def is_offered() -> bool:
    """Whether this installation signs users in with codes sent by email."""
    return bool(settings.EMAIL_SIGN_IN == "sign_in")


def opens(user: Credentials) -> bool:
    """Whether a code would open the account of this user, who has shown to read its mail."""
    return is_offered() and user.email_verified


def request(*, email: str, asker: Asker, client: Client, at: datetime) -> None:
    """Send a code to the owner of the address, if there is one; the caller does not learn whether there is.

    A new code replaces the earlier one of the same asker. Raises TooManyRequests, per client address only, and
    ServiceUnavailable.
    """
    times = settings.EMAIL_SIGN_INS_PER_HOUR
    limit = rate_limits.Limit(name="email_sign_in", times=times, seconds=3600, is_shown=True)
    rate_limits.take(limit, key=client.network)
    user = users_client.find_credentials(email=email)
    is_allowed = _may_be_mailed(email, client=client) and user is not None and user.is_active
    recipient = user if user is not None and is_allowed else users_client.nobody(email=email)
    code, expires_at = f"{secrets.randbelow(10**CODE_LENGTH):0{CODE_LENGTH}}", at + CODE_LIFE
    with transaction.atomic():
        facts = {"user_id": user.id if user else None, "username": email}
        audit.record(audit.Event.EMAIL_SIGN_IN_REQUESTED, client=client, at=at, succeeded=is_allowed, **facts)
        with transaction.atomic():
            _store(code, asker=asker, recipient=recipient, until=expires_at)
            event = events.EmailSignInRequested(
                **recipient.contact,
                sealed_code=encrypt(code, to=events.EmailSignInRequested),
                expires_at=expires_at.isoformat(),
                address=client.address,
            )
            outbox.record(event, at=at)
            # For nobody it is taken back: the answer takes as long, whether there is an account or not.
            transaction.set_rollback(not is_allowed)


def _may_be_mailed(email: str, *, client: Client) -> bool:
    canonical = email_addresses.canonical(email)
    try:
        rate_limits.take(MAILS_FOR_A_CLIENT, key=f"{canonical} {client.network}")
        rate_limits.take(MAILS_OF_AN_HOUR, key=canonical)
        rate_limits.take(MAILS_OF_A_DAY, key=canonical)
    except TooManyRequests:
        return False
    return True


def _store(code: str, *, asker: Asker, recipient: Credentials, until: datetime) -> None:
    row = EmailCode(
        asker_hash=issuing.digest_of(asker.secret),
        user_id=recipient.id,
        email=recipient.email,
        password_version=recipient.password_version,
        code_hash=_hash(asker.secret, code),
        browser_hash=issuing.digest_of(asker.browser) if asker.browser else None,
        request_token=asker.request_token,
        expires_at=until,
    )
    replaced = [field.name for field in EmailCode._meta.fields if not field.primary_key]
    EmailCode.objects.bulk_create([row], update_conflicts=True, unique_fields=["asker_hash"], update_fields=replaced)


def _hash(secret: str, code: str) -> bytes:
    return salted_hmac("email_code", f"{secret} {code}", algorithm="sha256").digest()


def find_asked(*, browser: str, at: datetime) -> EmailCode | None:
    """The last code that this browser has asked for on a sign-in page, and that has neither expired nor been used."""
    mine = EmailCode.objects.filter(browser_hash=issuing.digest_of(browser), expires_at__gt=at)
    return mine.order_by("-expires_at", "asker_hash").first() if browser else None


def log_in(*, secret: str, code: str, client: Client, at: datetime) -> TokenPair | Pending:
    """Open a session with the code that the holder of `secret` asked for, or ask for the second factor, or to add one.

    The first proof of an address ends everything that was set up before it, the password too. Raises WrongCredentials,
    TooManyFailures, VerifyEmailFirst, SecondFactorBlocked and ServiceUnavailable; after the last the code may be used
    again.
    """
    mine = EmailCode.objects.filter(asker_hash=issuing.digest_of(secret), expires_at__gt=at)
    guessed = f"(email code) {issuing.digest_of(secret).hex()}"  # apart from passwords; the same for unknown addresses
    lockout.check(username=guessed, client=client, at=at)
    # Counted before the comparison, so that parallel requests get no more than CODE_ATTEMPTS.
    counted = mine.filter(attempts__lt=CODE_ATTEMPTS).update(attempts=F("attempts") + 1)
    sent = mine.first()
    typed = _hash(secret, "".join(code.replace("-", " ").split()))
    is_right = sent is not None and counted and constant_time_compare(bytes(sent.code_hash), typed)
    user = _owner_of(sent) if sent is not None and is_right else None
    if sent is None or user is None or not _spend(sent):
        _reject(sent, guessed, client=client, at=at)
    try:
        user, at = _prove(user, sent, client=client, at=at)
    except (users_client.UserNotFound, users_client.AccountChanged):
        _reject(sent, guessed, client=client, at=at)
    except Problem:
        _restore(sent)
        raise
    admission.check(user, client=client, at=at)
    pending = login.begin_second_factor(user, proven=["otp"], client=client, at=at)
    if pending is not None:
        return pending
    lockout.reset_failures(username=guessed, client=client)
    return sessions.open_session(user=user, methods=["otp"], client=client, at=at)


def _owner_of(sent: EmailCode) -> Credentials | None:
    """The user of the code, while the account is active and has the address and the password of then."""
    user = users_client.find_credentials(user_id=sent.user_id)
    if user is None or not user.is_active or user.password_version != sent.password_version:
        return None
    return user if email_addresses.canonical(user.email) == email_addresses.canonical(sent.email) else None


def _spend(sent: EmailCode) -> bool:
    """Delete a code that was right. False when a parallel request has used or replaced it."""
    return bool(EmailCode.objects.filter(asker_hash=sent.asker_hash, code_hash=sent.code_hash).delete()[0])


def _restore(sent: EmailCode) -> None:
    """Make a used code usable again, because the request had no effect."""
    EmailCode.objects.bulk_create([sent], ignore_conflicts=True)


def _prove(user: Credentials, sent: EmailCode, *, client: Client, at: datetime) -> tuple[Credentials, datetime]:
    """The user with the address verified, and the time from which a session of its owner counts.

    Whoever signed up with the address of somebody else knows the password, and may have sessions and factors: they end
    before the owner gets a session. Raises UserNotFound, AccountChanged and ServiceUnavailable.
    """
    if user.email_verified:
        return user, at
    proof = users_client.verify_email(user_id=user.id, email=sent.email, ends_password=True, client=client)
    if proof.first_proof:
        address_proven.send(EmailCode, user_id=user.id, client=client, at=at)
    # The event of users-ms ends what is older than the proof, by the clock of users-ms, which may be ahead.
    proven_at = datetime.fromisoformat(proof.verified_at) if proof.verified_at else at
    return replace(user, email_verified=True, pending_email=""), max(at, proven_at)


def _reject(sent: EmailCode | None, guessed: str, *, client: Client, at: datetime) -> NoReturn:
    """Raises WrongCredentials or TooManyFailures, after the same work for every reason."""
    facts = {"username": sent.email if sent else "", "user_id": sent.user_id if sent else None, "method": "email"}
    audit.record(audit.Event.LOGIN, client=client, at=at, succeeded=False, **facts)
    lockout.count_failure(username=guessed, client=client, at=at)
    raise WrongCredentials("This code is wrong, was already used, or has expired. Request a new one.")


def revoke(*, user_id: int, sent_before: datetime | None = None) -> None:
    """Invalidate the codes of a user; with `sent_before`, spare later ones."""
    codes = EmailCode.objects.filter(user_id=user_id)
    (codes if sent_before is None else codes.filter(expires_at__lt=sent_before + CODE_LIFE)).delete()


def prune(*, at: datetime) -> None:
    """Delete expired codes."""
    pruning.delete(EmailCode.objects.filter(expires_at__lt=at))
