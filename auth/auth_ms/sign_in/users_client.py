"""The synchronous call to users-ms, over pooled connections, with an answer or a failure in under three seconds."""

from dataclasses import dataclass, fields

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter

from auth_ms.sign_in import issuing
from chassis import logs
from chassis.errors import ServiceUnavailable

CONNECT_SECONDS = 0.5
READ_SECONDS = 2.0
POOL_SIZE = 32


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What users-ms tells of a user for signing in."""

    id: int
    email: str
    password_hash: str
    name: str
    surname: str
    phone: str
    locale: str
    time_zone: str
    is_active: bool
    is_admin: bool
    email_verified: bool


def _pooled_session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxy, no .netrc between services
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=POOL_SIZE)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


_session = _pooled_session()


def find_credentials(*, email: str) -> Credentials | None:
    """The credentials of the user with this email, or None. Raises ServiceUnavailable.

    A kept-alive connection that users-ms has closed meanwhile shows as a ConnectionError before anything was answered;
    then one new connection is tried. A timeout is not tried again, so that the caller has its answer in time.
    """
    try:
        try:
            answer = _get_credentials(email)
        except (requests.ConnectTimeout, requests.ReadTimeout):
            raise
        except requests.ConnectionError:
            answer = _get_credentials(email)
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            raise requests.HTTPError(f"users-ms answers {answer.status_code}")
        members = answer.json()
        return Credentials(**{field.name: members[field.name] for field in fields(Credentials)})
    except (requests.RequestException, KeyError, TypeError) as error:
        raise ServiceUnavailable("users-ms does not answer; nobody can sign in right now.") from error


def _get_credentials(email: str) -> requests.Response:
    return _session.get(
        f"{settings.USERS_URL}/users-ms/internal/credentials",
        params={"email": email},
        headers={
            "Authorization": f"Bearer {issuing.service_token(audience='users-ms')}",
            "X-Request-ID": logs.request_id.get() or "",
        },
        timeout=(CONNECT_SECONDS, READ_SECONDS),
        allow_redirects=False,
    )
