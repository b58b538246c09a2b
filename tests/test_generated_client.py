"""A whole account's life, driven by clients that openapi-python-client generates from what the services publish."""

import importlib
import secrets
import subprocess
import sys
from pathlib import Path

import pyotp
import pytest
import requests

from chassis.tests.waiting import eventually
from tests.conftest import PASSWORD

NEW = "a longer staple of horses"


class Generated:
    """A generated package, such as `users.operation("users", "create_user")` and `users.model("UserInputRequest")`."""

    def __init__(self, package, url):
        self.package, self.url = package, url

    def call(self, tag, operation, *arguments, token=None, **options):
        """The answer of one operation, parsed as the document says."""
        module = importlib.import_module(f"{self.package}.api.{tag}.{operation}")
        clients = importlib.import_module(f"{self.package}.client")
        if token is None:
            client = clients.Client(base_url=self.url)
        else:
            client = clients.AuthenticatedClient(base_url=self.url, token=token)
        with client:
            return module.sync_detailed(*arguments, client=client, **options)

    def model(self, kind, /, **fields):
        """An instance of a generated model."""
        models = importlib.import_module(f"{self.package}.models")
        return getattr(models, kind).from_dict(fields)


@pytest.fixture(scope="module")
def clients(stack, tmp_path_factory):
    """The three clients, generated anew from the running services."""
    folder = tmp_path_factory.mktemp("generated")
    sys.path.insert(0, str(folder))
    found = {}
    for name, url in (("users", stack.users), ("auth", stack.auth), ("notification", stack.notification)):
        document = folder / f"{name}.json"
        document.write_bytes(requests.get(f"{url}/{name}-ms/openapi.json", timeout=10).content)
        configuration = folder / "configuration.yaml"
        configuration.write_text("post_hooks: []\n")
        package = f"tessera_{name}_client"
        command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning"]
        command += ["--path", str(document), "--output-path", str(folder / package), "--config", str(configuration)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        found[name] = Generated(package, url)
    yield found
    sys.path.remove(str(folder))


def mailed_token(stack, email, subject):
    mail = eventually(lambda: stack.mails(email, subject))[0]
    return stack.mailed_token(mail)


def test_a_whole_account_life(stack, clients):
    users, auth, notification = clients["users"], clients["auth"], clients["notification"]
    email = f"client.{secrets.token_hex(8)}@example.org"

    def log_in(password):
        body = auth.model("LoginInputRequest", username=email, password=password)
        return auth.call("sign_in", "login", body=body).parsed

    # Signing up, twice with one key: one account.
    body = users.model("UserInputRequest", name="Ada", surname="Lovelace", email=email, password=PASSWORD)
    key = secrets.token_hex(8)
    created = users.call("users", "create_user", body=body, idempotency_key=key)
    repeated = users.call("users", "create_user", body=body, idempotency_key=key)
    assert (created.status_code, repeated.parsed.id) == (201, created.parsed.id)
    refused = users.call("users", "create_user", body=body)
    assert (refused.status_code, refused.parsed.title) == (409, "Email already in use")
    user_id = created.parsed.id

    # The address is verified with the mail.
    verification = auth.model("EmailVerificationInputRequest", token=mailed_token(stack, email, "Confirm your email"))
    assert auth.call("account", "verify_email", body=verification).status_code == 204

    # Signing in, reading and changing the profile under its version.
    tokens = log_in(PASSWORD)
    profile = users.call("users", "get_current_user", token=tokens.access_token)
    assert (profile.parsed.id, profile.parsed.email_verified) == (user_id, True)
    change = users.model("PatchedUserChangeByAdminRequest", surname="King")
    tag = profile.headers["ETag"]
    changed = users.call("users", "update_user", user_id, token=tokens.access_token, body=change, if_match=tag)
    stale = users.call("users", "update_user", user_id, token=tokens.access_token, body=change, if_match='"0"')
    assert (changed.parsed.surname, stale.status_code) == ("King", 412)

    # Refreshing, and what the session list says.
    refreshed = auth.call(
        "sign_in", "refresh", body=auth.model("RefreshInputRequest", refresh_token=tokens.refresh_token)
    )
    access_token = refreshed.parsed.access_token
    [session] = auth.call("sessions", "list_sessions", token=access_token).parsed.results
    assert session.current is True

    # A second factor.
    secret = auth.call("second_factor", "begin_totp", token=access_token).parsed.secret
    code = auth.model("CodeInputRequest", code=pyotp.TOTP(secret).now())
    codes = auth.call("second_factor", "confirm_totp", token=access_token, body=code).parsed.recovery_codes
    pending = log_in(PASSWORD)
    assert pending.mfa_required is True
    factor = auth.model("SecondFactorInputRequest", mfa_token=pending.mfa_token, method="recovery_code", code=codes[0])
    access_token = auth.call("sign_in", "complete_login", body=factor).parsed.access_token
    assert auth.call("second_factor", "disable_totp", token=access_token).status_code == 204

    # A new password, by change and by mail.
    change = auth.model("PasswordChangeInputRequest", current_password=PASSWORD, new_password=NEW)
    assert auth.call("account", "change_password", token=access_token, body=change).status_code == 204
    forgot = auth.model("ForgottenPasswordInputRequest", email=email)
    assert auth.call("account", "forgot_password", body=forgot).status_code == 202
    token = mailed_token(stack, email, "Set a new password")
    reset = auth.model("PasswordResetInputRequest", token=token, new_password=PASSWORD)
    assert auth.call("account", "reset_password", body=reset).status_code == 204
    assert auth.call("sessions", "list_sessions", token=access_token).status_code == 401

    # What the user was told.
    access_token = log_in(PASSWORD).access_token

    def told():
        rows = notification.call("notifications", "list_notifications", token=access_token).parsed.results
        return {row.event for row in rows}

    everything = {
        "new_user_event",
        "user_login_event",
        "email_verification_requested_event",
        "password_changed_event",
        "password_reset_requested_event",
    }
    eventually(lambda: told() == everything)

    # And the end.
    ended = auth.call("sessions", "logout", token=access_token)
    assert ended.status_code == 204, ended.content
    access_token = log_in(PASSWORD).access_token
    assert users.call("users", "delete_user", user_id, token=access_token).status_code == 204
    gone = log_in(PASSWORD)
    assert gone.status == 401


def test_the_committed_documents_are_what_the_services_publish(stack):
    for name, url in (("users", stack.users), ("auth", stack.auth), ("notification", stack.notification)):
        committed = Path(__file__).parents[1] / "docs" / "openapi" / f"{name}-ms.yaml"
        assert requests.get(f"{url}/{name}-ms/openapi.yaml", timeout=10).text == committed.read_text()
