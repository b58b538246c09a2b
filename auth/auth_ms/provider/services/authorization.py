"""Authorization requests: checked, kept on the server while the user decides, and answered with a code."""

import re
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, Q

from auth_ms import uris
from auth_ms.audit import services as audit
from auth_ms.external import selectors as external
from auth_ms.external.services.identities import ProvenIdentity
from auth_ms.keys import jwk
from auth_ms.keys.services import issuing
from auth_ms.provider import claims, metadata, scopes
from auth_ms.provider.errors import AuthorizationError, NotForClient, OAuthError
from auth_ms.provider.models import UNASKED, AuthorizationRequest, Grant, OAuthClient
from auth_ms.provider.services import access_tokens, consents, devices, organizations
from auth_ms.sessions import services as sessions
from auth_ms.sessions.models import Session
from auth_ms.users_client import Membership
from chassis.http import strict_json
from chassis.http.client_address import Client

REQUEST_URI = "urn:ietf:params:oauth:request_uri:"
PUSHED_LIFE = timedelta(seconds=90)
DECISION_LIFE = timedelta(minutes=15)
CODE_LIFE = timedelta(seconds=60)
WITHOUT_RESPONSE = "none"  # the browser just goes there; no client can ask for it
PROMPTS = {"none", "login", "consent", "select_account"}
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # the SHA-256 in base64url (RFC 7636, §4.2)
_NOT_SUPPORTED = {"request": "request_not_supported", "registration": "registration_not_supported"}

_FOR_TOKENS = ("redirect_uri", "nonce", "code_challenge", "claims", "dpop_jkt", "device")


@dataclass(frozen=True, kw_only=True)
class AuthorizationResponse:
    """What a browser brings back to the client."""

    redirect_uri: str
    response_mode: str
    members: dict[str, str]


def find_client(form: dict[str, str]) -> OAuthClient:
    """The client of a request, and whether its sign-in page offers other providers. Raises NotForClient."""
    known = OAuthClient.objects.annotate(offers_providers=Exists(external.enabled_providers()))
    found = known.filter(client_id=form.get("client_id", ""), is_active=True).first()
    if found is None:
        raise NotForClient("unknown_client")
    return found


def check(form: dict[str, str], resources: list[str], *, client: OAuthClient) -> dict[str, Any]:
    """The checked parameters of a request. Raises NotForClient before the redirect URI is proven, AuthorizationError
    after it."""
    redirect_uri = form.get("redirect_uri", "")
    if not uris.is_registered(redirect_uri, client.redirect_uris):
        raise NotForClient("wrong_redirect_uri" if redirect_uri else "no_redirect_uri")
    known = {"redirect_uri": redirect_uri, **_way_back(form)}
    try:
        _check_kind(form, client)
        pkce, granted = _pkce(form, client), _scopes(form, client)
        return {
            **known,
            **pkce,
            "scopes": granted,
            organizations.PARAMETER: organizations.wanted(form, granted=granted),
            "resources": access_tokens.check_resources(resources, allowed=client.resources),
            "nonce": form.get("nonce"),
            "dpop_jkt": _key(form),
            "prompt": _prompt(form),
            "max_age": _max_age(form),
            "login_hint": form.get("login_hint", ""),
            "ui_locales": form.get("ui_locales", ""),
            **_claims(form, client),
        }
    except OAuthError as error:
        raise AuthorizationError(error.code, error.description, parameters=known) from error


def _way_back(form: dict[str, str]) -> dict[str, str | None]:
    """How the client is answered.

    A request object is not supported, and nobody verifies it; but the error that says so goes back as it asks.
    """
    within = jwk.unverified_claims(form.get("request", ""))
    state, mode = (form.get(name, within.get(name)) for name in ("state", "response_mode"))
    return {
        "state": state if isinstance(state, str) else None,
        "response_mode": mode if mode in metadata.RESPONSE_MODES else "query",
    }


def _check_kind(form: dict[str, str], client: OAuthClient) -> None:
    for name, code in _NOT_SUPPORTED.items():
        if name in form:
            raise OAuthError(code, f"The parameter {name} is not supported.")
    if "request_uri" in form:
        raise OAuthError("request_uri_not_supported", "Only a request_uri of the PAR endpoint is supported.")
    if "response_type" not in form:
        raise OAuthError("invalid_request", "response_type is missing.")
    if form["response_type"] != "code":
        raise OAuthError("unsupported_response_type", "The only response_type is code.")
    if "authorization_code" not in client.grant_types:
        raise OAuthError("unauthorized_client", "The client is not registered for authorization_code.")
    if form.get("response_mode", "query") not in metadata.RESPONSE_MODES:
        raise OAuthError("invalid_request", "response_mode must be query or form_post.")


def _pkce(form: dict[str, str], client: OAuthClient) -> dict[str, Any]:
    challenge = form.get("code_challenge")
    if challenge is None:
        if client.is_public or client.require_pkce or scopes.OPENID not in form.get("scope", "").split(" "):
            raise OAuthError("invalid_request", "code_challenge is missing.")
        return {"code_challenge": None}
    if form.get("code_challenge_method") != "S256":
        raise OAuthError("invalid_request", "code_challenge_method must be S256.")
    if not _CHALLENGE.fullmatch(challenge):
        raise OAuthError("invalid_request", "code_challenge must be 43 characters of base64url.")
    return {"code_challenge": challenge}


def _key(form: dict[str, str]) -> str | None:
    """The thumbprint of the key to which the code is bound (RFC 9449, §10)."""
    thumbprint = form.get("dpop_jkt")
    if thumbprint is not None and not _CHALLENGE.fullmatch(thumbprint):
        raise OAuthError("invalid_request", "dpop_jkt must be 43 characters of base64url.")
    return thumbprint


def _scopes(form: dict[str, str], client: OAuthClient) -> list[str]:
    wanted = scopes.parse(form.get("scope", ""))
    granted = scopes.allowed(wanted or [], by_client=client.scopes)
    if not granted:
        raise OAuthError("invalid_scope", "The client may have none of these scopes.")
    return granted


def _prompt(form: dict[str, str]) -> list[str]:
    prompt = form.get("prompt", "").split()
    if not set(prompt) <= PROMPTS or ("none" in prompt and len(prompt) > 1):
        raise OAuthError("invalid_request", "prompt must be none, or some of login, consent and select_account.")
    return prompt


def _max_age(form: dict[str, str]) -> int | None:
    text = form.get("max_age")
    if text is not None and not re.fullmatch(r"[0-9]{1,9}", text):
        raise OAuthError("invalid_request", "max_age must be a number of seconds.")
    return None if text is None else int(text)


def _claims(form: dict[str, str], client: OAuthClient) -> dict[str, Any]:
    """The single claims, the user and the levels of authentication that the request asks for (Core, §5.5)."""
    try:
        asked = strict_json.loads(form.get("claims", "{}").encode())
        by_target = {target: dict(asked.get(target) or {}) for target in ("userinfo", "id_token")}
        details = {name: dict(by_target["id_token"].get(name) or {}) for name in ("sub", "acr")}
        levels = details["acr"].get("values") or [details["acr"].get("value")]
        essential = [str(level) for level in levels if level] if details["acr"].get("essential") else []
        subject = details["sub"].get("value")
    except (ValueError, TypeError, AttributeError) as error:
        raise OAuthError("invalid_request", "claims must be an object as OpenID Connect defines it.") from error
    if "id_token_hint" in form:
        hint = access_tokens.decode(form["id_token_hint"], typ="JWT", audience=client.client_id, expired=True)
        if hint is None:
            raise OAuthError("invalid_request", "id_token_hint is no ID token of this client.")
        subject = hint["sub"]
    permitted = claims.permitted(client)
    return {
        "claims": {target: [name for name in permitted if name in by_target[target]] for target in by_target},
        "levels": essential or form.get("acr_values", "").split(),
        "subject": None if subject is None else str(subject),
    }


def for_console(*, path: str, prompt: list[str], at: datetime) -> AuthorizationRequest:
    """A request of Tessera's own console: the browser goes back to `path` there, with a session and without a code."""
    place = {"redirect_uri": f"{settings.PUBLIC_URL}{path}", "response_mode": WITHOUT_RESPONSE, "prompt": prompt}
    parameters = UNASKED | place
    return AuthorizationRequest(client=None, parameters=parameters, created_at=at)


def push(parameters: dict[str, Any], *, client: OAuthClient, at: datetime) -> str:
    """Keep a checked request for PUSHED_LIFE; returns its `request_uri` (RFC 9126, §2.2)."""
    token = issuing.opaque_token()
    AuthorizationRequest.objects.create(
        token_hash=token.digest, client=client, parameters=parameters, created_at=at, expires_at=at + PUSHED_LIFE
    )
    return REQUEST_URI + token.text


def find_pushed(request_uri: str, *, client: OAuthClient, browser: str, at: datetime) -> AuthorizationRequest:
    """The request that this client pushed, until it is answered. The first browser that shows its page may load that
    again (RFC 9126, §4), and no other one. Raises NotForClient.
    """
    digest = issuing.digest_of(request_uri.removeprefix(REQUEST_URI))
    unseen_or_own = Q(browser_hash=None) | Q(browser_hash=issuing.digest_of(browser))
    waiting = AuthorizationRequest.objects.filter(unseen_or_own, token_hash=digest, client=client, expires_at__gt=at)
    found = waiting.first()
    if found is None or not request_uri.startswith(REQUEST_URI):
        raise NotForClient("expired")
    return AuthorizationRequest(token_hash=digest, client=client, parameters=found.parameters, created_at=at)


def keep(request: AuthorizationRequest, *, browser: str, at: datetime) -> str:
    """Keep a request while the user of this browser decides; returns the token of its forms.

    One that was pushed stays as long, for this browser, so that it is answered once, in whichever of its pages.
    """
    token, pushed = issuing.opaque_token(), bytes(request.token_hash)
    kept = {"browser_hash": issuing.digest_of(browser), "expires_at": at + DECISION_LIFE}
    if pushed:
        AuthorizationRequest.objects.filter(token_hash=pushed).update(**kept)
    AuthorizationRequest.objects.create(
        token_hash=token.digest,
        client=request.client,
        parameters=request.parameters | {"pushed": pushed.hex()},
        created_at=request.created_at,
        **kept,
    )
    return token.text


def find_kept(token: str, *, browser: str, at: datetime) -> AuthorizationRequest:
    """The request of a form, when it comes from the browser that was given it. Raises NotForClient."""
    kept = AuthorizationRequest.objects.select_related("client").filter(
        token_hash=issuing.digest_of(token), browser_hash=issuing.digest_of(browser), expires_at__gt=at
    )
    found = kept.filter(Q(client=None) | Q(client__is_active=True)).first()
    if found is None:
        raise NotForClient("expired")
    return found


def keep_identity(request: AuthorizationRequest, identity: ProvenIdentity | None) -> None:
    """Keep with a request, as long as it waits, an identity that its user may link; none forgets it."""
    _add(request, identity=asdict(identity) if identity else None)


def _add(request: AuthorizationRequest, **parameters: Any) -> None:
    """Add what was decided to a request, and to where it is kept, if it is."""
    request.parameters = request.parameters | parameters
    AuthorizationRequest.objects.filter(token_hash=request.token_hash).update(parameters=request.parameters)


def identity_of(request: AuthorizationRequest) -> ProvenIdentity | None:
    """The identity that was proven in this request and waits to be linked."""
    kept = request.parameters.get("identity")
    return ProvenIdentity(**kept) if kept else None


def needs_sign_in(request: AuthorizationRequest, session: Session | None, *, at: datetime) -> bool:
    """True when the user must sign in first. Raises AuthorizationError when that cannot help, or is not wanted."""
    asked = request.parameters
    reason = _why_sign_in(request, session, at=at)
    if reason and "none" in asked["prompt"]:
        raise AuthorizationError("login_required", "The user must sign in.", parameters=asked)
    if reason and session is not None and session.created_at >= request.created_at:
        code = {"subject": "login_required", "level": "unmet_authentication_requirements"}.get(reason)
        if code is None:
            return False
        raise AuthorizationError(code, "The sign-in was not the one that was asked for.", parameters=asked)
    return bool(reason)


def _why_sign_in(request: AuthorizationRequest, session: Session | None, *, at: datetime) -> str:
    asked = request.parameters
    if session is None or sessions.lacks_second_factor(session):
        return "session"
    if asked["subject"] and asked["subject"] != claims.subject_of(session.user_id, client=request.client):
        return "subject"
    if asked["levels"] == [issuing.TWO_FACTORS] and issuing.level_of(session.methods) != issuing.TWO_FACTORS:
        return "level"
    if {"login", "select_account"} & set(asked["prompt"]):
        return "prompt"
    age = (at - session.created_at).total_seconds()
    is_old = session.is_impersonated or age > (asked["max_age"] or 0)  # nobody has signed in as who is acted as
    return "age" if asked["max_age"] is not None and is_old else ""


def organizations_to_choose(request: AuthorizationRequest, session: Session) -> list[Membership]:
    """The organizations of which the user must choose one; none when the request needs none, or it is clear which.

    Raises AuthorizationError without any membership, and for `prompt=none`, and ServiceUnavailable.
    """
    asked = request.parameters
    found = [] if request.client is None else organizations.candidates(asked, session=session)
    if len(found) < 2:
        return []
    if "none" in asked["prompt"]:
        raise organizations.not_chosen(asked)
    return found


def choose_organization(request: AuthorizationRequest, membership: Membership, *, session: Session) -> None:
    """Go on with this organization, in which `grant` looks for the membership again."""
    _add(request, **organizations.choice(membership, session=session))


def scopes_to_consent(request: AuthorizationRequest) -> list[str]:
    """The scopes of a request, and those whose claims it asks for one by one."""
    asked = request.parameters
    single = {name for names in asked["claims"].values() for name in names}
    implied = [scope for scope, names in claims.by_scope(request.client).items() if single & set(names)]
    return list(dict.fromkeys([*asked["scopes"], *implied]))


def needs_consent(request: AuthorizationRequest, session: Session) -> bool:
    """True when the user must be asked. Raises AuthorizationError for `prompt=none`, and when an admin acts as the
    user, for whom nobody else may consent.

    Another app on the user's device can use the client id and the redirect URI of a native app, so it is never
    answered unasked (RFC 8252, §8.6); nor is a device, which somebody else may hold (RFC 8628, §5.4).
    """
    asked, client = request.parameters, request.client
    if client is None:
        return False
    is_native = client.is_public and not asked["redirect_uri"].startswith("https:")
    known = client.first_party or consents.covers(
        user_id=session.user_id, client=client, wanted=scopes_to_consent(request), resources=asked["resources"]
    )
    needed = is_native or not known or "consent" in asked["prompt"] or "device" in asked
    if needed and ("none" in asked["prompt"] or session.is_impersonated):
        raise AuthorizationError("consent_required", "The user must consent.", parameters=asked)
    return needed


def grant(request: AuthorizationRequest, session: Session, *, client: Client, at: datetime) -> AuthorizationResponse:
    """Answer a request with a code, once.

    Raises NotForClient when it was answered already, AuthorizationError without membership in the organization that it
    asks for, and ServiceUnavailable.
    """
    asked, code = request.parameters, issuing.opaque_token()
    organization = None if request.client is None else organizations.decided(asked, session=session)
    with transaction.atomic():
        for token_hash in filter(None, (request.token_hash, bytes.fromhex(asked.get("pushed", "")))):
            if not AuthorizationRequest.objects.filter(token_hash=token_hash).delete()[0]:
                raise NotForClient("expired")
        if request.client is None:
            return respond(asked, {})
        granted = _granted(request, session)
        # Locked, so that a session that ends meanwhile finds this grant, and its client is told.
        if not Session.objects.select_for_update(no_key=True).filter(id=session.id, revoked_at=None).exists():
            raise NotForClient("expired")
        device = devices.lock(asked, at=at) if "device" in asked else None
        Grant.objects.create(
            client=request.client,
            user_id=session.user_id,
            actor_id=session.actor_id,
            session=_session_of_grant(request, session, granted, client=client, at=at),
            browser_session_id=session.id,
            scopes=granted,
            resources=asked["resources"],
            parameters={name: asked.get(name) for name in _FOR_TOKENS} | {organizations.PARAMETER: organization},
            methods=session.methods,
            authenticated_at=session.created_at,
            code_hash=bytes(device.device_code_hash) if device else code.digest,
            code_expires_at=device.expires_at if device else at + CODE_LIFE,
            created_at=at,
        )
        audit.record(
            audit.Event.AUTHORIZATION,
            client=client,
            at=at,
            user_id=session.user_id,
            session_id=session.id,
            actor_id=session.actor_id,
            client_id=request.client.client_id,
            scopes=granted,
        )
    return respond(asked, {"code": code.text})


def _granted(request: AuthorizationRequest, session: Session) -> list[str]:
    """The scopes of a request; whoever acts as the user is given nothing that outlives that."""
    lost = {scopes.OFFLINE_ACCESS} if session.is_impersonated else set()
    return [scope for scope in request.parameters["scopes"] if scope not in lost]


def _session_of_grant(
    request: AuthorizationRequest, session: Session, granted: list[str], *, client: Client, at: datetime
) -> Session:
    if scopes.OFFLINE_ACCESS not in granted:
        return session
    return Session.objects.create(
        user_id=session.user_id,
        address=client.address,
        user_agent=request.client.name,
        methods=session.methods,
        is_offline=True,
        created_at=at,
        last_used_at=at,
    )


def respond(parameters: dict[str, Any], members: dict[str, str]) -> AuthorizationResponse:
    """A response with `state`, and the issuer against mix-up (RFC 9207); the console needs no members."""
    state = {} if parameters["state"] is None else {"state": parameters["state"]}
    return AuthorizationResponse(
        redirect_uri=parameters["redirect_uri"],
        response_mode=parameters["response_mode"],
        members={}
        if parameters["response_mode"] == WITHOUT_RESPONSE
        else members | state | {"iss": settings.PUBLIC_URL},
    )


def refuse(error: AuthorizationError, *, at: datetime) -> AuthorizationResponse:
    """The response for an error that the client receives; a device learns it when it asks next."""
    if "device" in error.parameters:
        devices.deny(error.parameters, at=at)
    return respond(error.parameters, {"error": error.code, "error_description": error.description})
