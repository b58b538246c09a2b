"""Every operation of auth-ms, called by five kinds of callers."""

import pytest
from django.test import Client

from auth.tests.actions import signed_in
from auth_ms.keys.services import issuing
from auth_ms.models import Session
from chassis.testing import authorization
from chassis.testing.authorization import ADMIN, CALLERS, OPEN, OPEN_BODY, OWN

pytestmark = pytest.mark.django_db
NEITHER = [401, 401, 401, 401, 401]
MATRIX = {
    "healthcheck": OPEN,
    "ready": OPEN,
    "get_keys": OPEN,
    "get_openid_configuration": OPEN,
    "get_authorization_server_metadata": OPEN,
    # Clients authenticate in a form; `{}` is none.
    "oauth_token": OPEN_BODY,
    "oauth_push_authorization_request": OPEN_BODY,
    "oauth_authorize_device": OPEN_BODY,
    "oauth_introspect": OPEN_BODY,
    "oauth_revoke": OPEN_BODY,
    "oauth_userinfo": NEITHER,
    "oauth_userinfo_by_post": NEITHER,
    # Clients register with a token of their own.
    "oauth_register": NEITHER,
    "oauth_get_registration": NEITHER,
    "oauth_change_registration": NEITHER,
    "oauth_delete_registration": NEITHER,
    "list_clients": ADMIN,
    "create_client": [401, 403, 403, 400, 401],
    "get_client": [401, 403, 403, 404, 401],
    "change_client": [401, 403, 403, 400, 401],
    "delete_client": [401, 403, 403, 404, 401],
    "rotate_client_secret": [401, 403, 403, 404, 401],
    "list_external_providers": ADMIN,
    "create_external_provider": [401, 403, 403, 400, 401],
    "get_external_provider": [401, 403, 403, 404, 401],
    "change_external_provider": [401, 403, 403, 400, 401],
    "delete_external_provider": [401, 403, 403, 404, 401],
    "list_offered_providers": OPEN,
    "list_identities": OWN,
    "unlink_identity": [401, 404, 404, 404, 401],
    "list_personal_tokens": OWN,
    "create_personal_token": [401, 400, 400, 400, 401],
    "revoke_personal_token": [401, 404, 404, 404, 401],
    "get_live_personal_token": NEITHER,  # test_personal_tokens has their callers
    "get_live_personal_principal": NEITHER,
    "list_logout_deliveries": ADMIN,
    "redeliver_logout": [401, 403, 403, 404, 401],
    "list_consents": OWN,
    "change_consent": [401, 400, 400, 400, 401],
    "revoke_consent": [401, 404, 404, 404, 401],
    "login": OPEN_BODY,
    "complete_login": OPEN_BODY,
    "begin_email_login": OPEN_BODY,
    "login_with_email_code": OPEN_BODY,
    "begin_enrolment": OPEN_BODY,
    "complete_enrolment": OPEN_BODY,
    "login_with_passkey": OPEN_BODY,
    "begin_passkey_login": OPEN,
    "refresh": OPEN_BODY,
    "forgot_password": OPEN_BODY,
    "reset_password": OPEN_BODY,
    "verify_email": OPEN_BODY,
    "undo_email_change": OPEN_BODY,
    "request_email_verification": [401, 202, 409, 409, 401],  # the others have verified theirs
    "request_phone_verification": [401, 409, 409, 409, 401],  # they have none
    "verify_phone": [401, 400, 400, 400, 401],
    "change_password": [401, 400, 400, 400, 401],
    "logout": [401, 204, 204, 204, 401],
    "logout_all": [401, 204, 204, 204, 401],
    "list_sessions": OWN,
    "revoke_session": [401, 204, 404, 204, 401],  # an admin ends any session
    "get_second_factors": OWN,
    "renew_recovery_codes": [401, 404, 404, 404, 401],
    "disable_totp": [401, 404, 404, 404, 401],
    "begin_totp": [401, 201, 201, 201, 401],
    "confirm_totp": [401, 400, 400, 400, 401],
    "list_passkeys": OWN,
    "add_passkey": [401, 400, 400, 400, 401],
    "begin_passkey": OWN,
    "remove_passkey": [401, 404, 404, 404, 401],
    "list_activity": OWN,
    "export_sign_in_data": OWN,
    "get_live_session": OWN,
    "get_live_principal": OWN,
    "get_live_client": [401, 401, 401, 401, 401],  # test_clients_as_themselves has its callers
    "list_audit_events": ADMIN,
    "introspect": [401, 403, 403, 400, 400],
    "list_impersonations": ADMIN,
    "impersonate": [401, 403, 403, 400, 401],
}
# Only these operations need a verified address.
FOR_VERIFIED = {"begin_totp", "confirm_totp", "begin_passkey", "add_passkey", "request_phone_verification"}
EMAILS = {"user": "ada@example.org", "other": "eve@example.org", "admin": "root@example.org"}


@pytest.fixture
def client_of(users_service):
    """`client_of("user")`: an HTTP client with the access token of that kind of caller."""

    def make(kind):
        if kind == "service":
            return Client(headers={"Authorization": f"Bearer {issuing.service_token(audience='auth-ms')}"})
        return signed_in(users_service.find(email=EMAILS[kind])) if kind in EMAILS else Client()

    return make


def test_every_operation_has_a_row():
    assert sorted(authorization.operations("auth-ms")) == sorted(MATRIX)


@pytest.mark.parametrize("kind", CALLERS)
@pytest.mark.parametrize("operation", MATRIX)
def test_an_operation_admits_only_its_callers(users_service, client_of, settings, operation, kind):
    settings.CLIENT_REGISTRATION, settings.EMAIL_SIGN_IN = "token", "sign_in"  # off, these routes are 404
    settings.IMPERSONATION_SECONDS = 1800
    users_service.add(id=7, email=EMAILS["user"], email_verified=operation in FOR_VERIFIED)
    users_service.add(id=8, email=EMAILS["other"])
    users_service.add(id=1, email=EMAILS["admin"], is_admin=True)
    caller = client_of(kind)
    if kind != "user":
        client_of("user")
    session = Session.objects.get(user_id=7)
    called = authorization.operations("auth-ms")[operation]

    identifiers = {"session_id": session.id, "passkey_id": 1, "user_id": 7, "client_id": "none", "delivery_id": 1}
    identifiers |= {"slug": "none", "identity_id": 1, "token_id": 1}
    answer = authorization.call(caller, called, **identifiers)

    assert answer.status_code == MATRIX[operation][CALLERS.index(kind)], answer.content
