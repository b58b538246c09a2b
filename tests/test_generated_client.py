"""The life of an account, with clients that openapi-python-client generates from the published OpenAPI documents."""

import importlib
import secrets
import subprocess
import sys
from pathlib import Path

import pyotp
import pytest
import requests

from evidence.harness.stack import PASSWORD
from evidence.harness.waiting import eventually

NEW = "a longer staple of horses"


# The generator knows no rows of users; their bodies are sent as they are.
CONFIGURATION = """
post_hooks: []
content_type_overrides: {application/x-ndjson: application/octet-stream, text/csv: application/octet-stream}
"""


class Generated:
    """A generated package, such as `users.operation("users", "create_user")` and `users.model("UserInputRequest")`."""

    def __init__(self, package, url):
        self.package, self.url = package, url

    def call(self, tag, operation, *arguments, token=None, **options):
        """The answer of one operation, parsed by the generated client."""
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
    """The three clients, generated from the running services."""
    folder = tmp_path_factory.mktemp("generated")
    sys.path.insert(0, str(folder))
    found = {}
    for name, url in (("users", stack.users), ("auth", stack.auth), ("notification", stack.notification)):
        document = folder / f"{name}.json"
        document.write_bytes(requests.get(f"{url}/{name}-ms/openapi.json", timeout=60).content)
        configuration = folder / "configuration.yaml"
        configuration.write_text(CONFIGURATION)
        package = f"tessera_{name}_client"
        command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning"]
        command += ["--path", str(document), "--output-path", str(folder / package), "--config", str(configuration)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        found[name] = Generated(package, url)
    yield found
    sys.path.remove(str(folder))


class NewUser:
    """A new user of the generated clients; each method is a step in the account's life."""

    def __init__(self, stack, clients):
        self.stack = stack
        self.users, self.auth, self.notification = clients["users"], clients["auth"], clients["notification"]
        self.email = f"client.{secrets.token_hex(8)}@example.org"

    def log_in(self, password=PASSWORD):
        body = self.auth.model("LoginInputRequest", username=self.email, password=password)
        return self.auth.call("sign_in", "login", body=body).parsed

    def mailed_token(self, subject):
        return self.stack.mailed_token(eventually(lambda: self.stack.mails(self.email, subject))[0])

    def signs_up_twice_with_one_key_and_has_one_account(self):
        fields = {"name": "Ada", "surname": "Lovelace", "email": self.email, "password": PASSWORD}
        body = self.users.model("UserInputRequest", **fields)
        key = secrets.token_hex(8)
        created = self.users.call("users", "create_user", body=body, idempotency_key=key)
        repeated = self.users.call("users", "create_user", body=body, idempotency_key=key)
        assert (created.status_code, repeated.parsed.id) == (201, created.parsed.id)
        rejected = self.users.call("users", "create_user", body=body)
        assert (rejected.status_code, rejected.parsed.title) == (409, "Email already in use")
        self.id = created.parsed.id

    def verifies_the_address(self):
        body = self.auth.model("MailedTokenInputRequest", token=self.mailed_token("Confirm your email"))
        verified = self.auth.call("account", "verify_email", body=body)
        assert (verified.status_code, verified.parsed.email, verified.parsed.first_proof) == (200, self.email, True)

    def changes_the_profile_under_its_version(self):
        token = self.log_in().access_token
        profile = self.users.call("users", "get_current_user", token=token)
        assert (profile.parsed.id, profile.parsed.email_verified) == (self.id, True)
        change = {"token": token, "body": self.users.model("PatchedUserChangeByAdminRequest", surname="King")}
        changed = self.users.call("users", "update_user", self.id, **change, if_match=profile.headers["ETag"])
        stale = self.users.call("users", "update_user", self.id, **change, if_match='"0"')
        assert (changed.parsed.surname, stale.status_code) == ("King", 412)
        assert self.auth.call("sessions", "logout", token=token).status_code == 204

    def refreshes_the_tokens_of_the_one_session(self):
        body = self.auth.model("RefreshInputRequest", refresh_token=self.log_in().refresh_token)
        token = self.auth.call("sign_in", "refresh", body=body).parsed.access_token
        [session] = self.auth.call("sessions", "list_sessions", token=token).parsed.results
        assert session.current is True

    def enables_uses_and_disables_a_second_factor(self):
        token = self.log_in().access_token
        secret = self.auth.call("second_factor", "begin_totp", token=token).parsed.secret
        code = self.auth.model("CodeInputRequest", code=pyotp.TOTP(secret).now())
        codes = self.auth.call("second_factor", "confirm_totp", token=token, body=code).parsed.recovery_codes
        pending = self.log_in()
        assert pending.mfa_required is True
        given = {"mfa_token": pending.mfa_token, "method": "recovery_code", "code": codes[0]}
        factor = self.auth.model("SecondFactorInputRequest", **given)
        token = self.auth.call("sign_in", "complete_login", body=factor).parsed.access_token
        assert self.auth.call("second_factor", "disable_totp", token=token).status_code == 204

    def changes_the_password_and_resets_it_by_email(self):
        token = self.log_in().access_token
        change = self.auth.model("PasswordChangeInputRequest", current_password=PASSWORD, new_password=NEW)
        assert self.auth.call("account", "change_password", token=token, body=change).status_code == 204
        forgot = self.auth.model("ForgottenPasswordInputRequest", email=self.email)
        assert self.auth.call("account", "forgot_password", body=forgot).status_code == 202
        given = {"token": self.mailed_token("Set a new password"), "new_password": PASSWORD}
        reset = self.auth.model("PasswordResetInputRequest", **given)
        assert self.auth.call("account", "reset_password", body=reset).status_code == 204
        assert self.auth.call("sessions", "list_sessions", token=token).status_code == 401

    def reads_all_notifications(self):
        token = self.log_in().access_token

        def notified():
            rows = self.notification.call("notifications", "list_notifications", token=token).parsed.results
            return {row.event for row in rows}

        everything = {
            "new_user_event",
            "account_changed_event",
            "sign_in_changed_event",
            "user_login_event",
            "email_verification_requested_event",
            "password_changed_event",
            "password_reset_requested_event",
        }
        eventually(lambda: notified() == everything)

    def deletes_the_account(self):
        token = self.log_in().access_token
        assert self.users.call("users", "delete_user", self.id, token=token).status_code == 204
        assert self.log_in().status == 401


def test_a_whole_account_life(stack, clients):
    user = NewUser(stack, clients)
    user.signs_up_twice_with_one_key_and_has_one_account()
    user.verifies_the_address()
    user.changes_the_profile_under_its_version()
    user.refreshes_the_tokens_of_the_one_session()
    user.enables_uses_and_disables_a_second_factor()
    user.changes_the_password_and_resets_it_by_email()
    user.reads_all_notifications()
    user.deletes_the_account()


def test_the_committed_documents_are_what_the_services_publish(stack):
    for name, url in (("users", stack.users), ("auth", stack.auth), ("notification", stack.notification)):
        committed = Path(__file__).parents[1] / "docs" / "openapi" / f"{name}-ms.yaml"
        assert requests.get(f"{url}/{name}-ms/openapi.yaml", timeout=60).text == committed.read_text()
