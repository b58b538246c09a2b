"""Sign-ins with other providers: begun, bound to one browser, and completed for the account of the identity."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from auth_ms import metrics, users_client
from auth_ms.audit import services as audit
from auth_ms.external.models import ExternalIdentity, ExternalProvider, ExternalSignIn
from auth_ms.external.problems import ExternalFailure, ProviderRejected, UnknownState
from auth_ms.external.services import flows, identities, providers
from auth_ms.external.services.code_flow import Person
from auth_ms.keys.services import issuing
from auth_ms.sessions import services as sessions
from auth_ms.sessions.services import TokenPair
from auth_ms.sign_in.services import admission, login
from auth_ms.sign_in.services.login import Pending
from auth_ms.users_client import Credentials
from chassis.http.client_address import Client
from chassis.operations import pruning
from chassis.security.rate_limits import services as rate_limits

LIFE = timedelta(minutes=15)  # as long as an authorization request waits for its user
CREATION_REPEATED = timedelta(days=1)  # users-ms remembers the key of a new user for as long


class SignInFirst(Exception):
    """The identity belongs to no account, and none was created: its user signs in another way, and then links it."""


def begin(
    *,
    slug: str,
    request_token: str,
    browser: str,
    links_session_id: int | None,
    prompt: str,
    max_age: int | None,
    client: Client,
    at: datetime,
) -> str:
    """The URL at the provider to which this browser goes.

    Raises ProviderNotFound, TooManyRequests, and ExternalFailure.
    """
    times = settings.EXTERNAL_SIGN_INS_PER_10_MINUTES
    rate_limits.take(rate_limits.Limit(name="external_sign_in", times=times, seconds=600), key=client.network)
    provider = providers.find(slug=slug, enabled=True)
    state = issuing.opaque_token()
    url = flows.flow_of(provider).authorization_url(state=state.text, prompt=prompt, max_age=max_age)
    ExternalSignIn.objects.create(
        state_hash=state.digest,
        provider=provider,
        browser_hash=issuing.digest_of(browser),
        request_token=request_token,
        links_session_id=links_session_id,
        expires_at=at + LIFE,
    )
    return url


def take(*, slug: str, state: str, browser: str, at: datetime) -> ExternalSignIn:
    """The sign-in that this browser has begun at this provider; it works once. Raises UnknownState."""
    with transaction.atomic():
        begun = ExternalSignIn.objects.select_related("provider").select_for_update(of=("self",))
        mine = {"state_hash": issuing.digest_of(state), "browser_hash": issuing.digest_of(browser)}
        found = begun.filter(**mine, provider__slug=slug, expires_at__gt=at).first()
        if found is None:
            raise UnknownState
        ExternalSignIn.objects.filter(state_hash=found.state_hash).delete()
    return found


def person_of(
    begun: ExternalSignIn, response: Mapping[str, str], *, max_age: int | None, client: Client, at: datetime
) -> Person:
    """Whom the response is about: signed in at most `max_age` seconds before it was asked for, if that is set.

    Raises ExternalFailure, which is in the audit log.
    """
    since = None if max_age is None else begun.expires_at - LIFE - timedelta(seconds=max_age)
    provider = begun.provider
    try:
        if not provider.enabled:
            raise ProviderRejected("the provider is disabled")
        return flows.flow_of(provider).person_of(response, state=response["state"], since=since, at=at)
    except ExternalFailure as error:
        record_failure(provider, error.reason, client=client, at=at)
        raise


def record_failure(
    provider: ExternalProvider, reason: str, *, client: Client, at: datetime, user_id: int | None = None
) -> None:
    """Write a failed sign-in to the audit log, and count it."""
    metrics.external_sign_ins.labels(provider.slug, "failed").inc()
    facts = {"user_id": user_id, "provider": provider.slug, "reason": reason}
    audit.record(audit.Event.LOGIN, client=client, at=at, succeeded=False, **facts)


def sign_in(
    provider: ExternalProvider, person: Person, *, locale: str, client: Client, at: datetime
) -> TokenPair | Pending:
    """Open a session for the user with this identity, or ask for the user's second factor.

    An unknown identity gets a new account, if the provider may create one and no account has its address; it is never
    linked by its address. Raises SignInFirst, ProviderRejected, VerifyEmailFirst, SecondFactorBlocked and
    ServiceUnavailable.
    """
    identity = ExternalIdentity.objects.filter(provider=provider, subject=person.subject).first()
    if identity is None or identity.user_id is None:
        identity = _with_new_account(provider, person, locale=locale, client=client, at=at)
    if identity is None:
        metrics.external_sign_ins.labels(provider.slug, "unknown").inc()
        raise SignInFirst
    user = users_client.find_credentials(user_id=identity.user_id)
    if user is None or not user.is_active:
        record_failure(provider, "the account is not active", client=client, at=at, user_id=identity.user_id)
        raise ProviderRejected("the account is not active")
    admission.check(user, client=client, at=at)
    ExternalIdentity.objects.filter(id=identity.id).update(last_used_at=at, email=person.email)
    metrics.external_sign_ins.labels(provider.slug, "succeeded").inc()
    methods = [providers.FEDERATED]
    if provider.counts_as_second_factor and "mfa" in person.methods:
        methods.append("mfa")
    elif pending := login.begin_second_factor(user, proven=methods, client=client, at=at):
        return pending
    return _open(identity, user, methods, client=client, at=at)


def _open(
    identity: ExternalIdentity, user: Credentials, methods: list[str], *, client: Client, at: datetime
) -> TokenPair:
    with transaction.atomic():  # whoever unlinks the identity waits for this session
        known = ExternalIdentity.objects.select_for_update(no_key=True).filter(id=identity.id, user_id=user.id)
        is_enabled = ExternalProvider.objects.filter(id=identity.provider_id, enabled=True).exists()
        if known.first() is None or not is_enabled:
            raise ProviderRejected("the identity was unlinked, or the provider disabled, meanwhile")
        return sessions.open_session(user=user, methods=methods, client=client, at=at)


def _with_new_account(
    provider: ExternalProvider, person: Person, *, locale: str, client: Client, at: datetime
) -> ExternalIdentity | None:
    """The identity with an account that users-ms has created for it; None when it may not, or the address is known.

    The identity is stored first: when the answer of users-ms is lost, the next attempt repeats the same request.
    """
    if not provider.creates_accounts or not person.email:
        return None
    identity, _ = ExternalIdentity.objects.get_or_create(
        provider=provider, subject=person.subject, defaults={"email": person.email, "linked_at": at}
    )
    if identity.user_id is not None:
        return identity
    user = users_client.create_federated_user(
        key=f"external-identity-{identity.id}",
        name=person.name,
        surname=person.surname,
        email=person.email,
        email_verified=provider.trusts_email and person.email_verified,
        locale=locale,
        client=client,
    )
    unfinished = ExternalIdentity.objects.filter(id=identity.id, user_id=None)
    if user is None:
        unfinished.delete()
        return None
    with transaction.atomic():
        if unfinished.update(user_id=user.id):
            identities.record_linked(identity, user_id=user.id, client=client, at=at)
    identity.user_id = user.id
    return identity


def prune(*, at: datetime) -> None:
    """Delete sign-ins that were never completed, and identities whose account was never created."""
    pruning.delete(ExternalSignIn.objects.filter(expires_at__lt=at))
    pruning.delete(ExternalIdentity.objects.filter(user_id=None, linked_at__lt=at - CREATION_REPEATED))
