"""Only the user who verified an address owns the account. Issue 21, lines 2, 3, 5, 12 and 13."""

import secrets

import pytest
import requests

from evidence.harness.accounts import an_address, is_over, reset_token, undo_token
from evidence.harness.local_processes import another_users_ms
from evidence.harness.stack import PASSWORD
from evidence.harness.waiting import eventually

NEW = "a longer staple of horses"
THIEFS = "the thief's own horse battery"


def me(stack, token):
    return stack.call("GET", "/users-ms/users/me", token=token).json()


def test_a_change_of_address_waits_for_verification_and_notifies_the_old_one(stack):
    user, new = stack.verified_user(), an_address("new")
    token = stack.token_of(user["email"])

    answer = stack.call("PATCH", f"/users-ms/users/{user['id']}", {"email": new}, token=token)

    assert (answer.status_code, answer.json()["email"], answer.json()["pending_email"]) == (200, user["email"], new)
    assert stack.log_in(new).status_code == 401
    undo_token(stack, user["email"])  # notified at once, before the verification
    stack.verify(new)
    now = me(stack, stack.token_of(new))
    assert (now["email"], now["pending_email"], now["email_verified"]) == (new, "", True)
    assert stack.log_in(user["email"]).status_code == 401


def test_a_session_thief_who_changes_the_address_loses_the_account_again(stack):
    victim, thief = stack.verified_user(), an_address("thief")
    stolen = stack.token_of(victim["email"])
    stack.call("PATCH", f"/users-ms/users/{victim['id']}", {"email": thief}, token=stolen).raise_for_status()
    undo = undo_token(stack, victim["email"])
    stack.verify(thief)
    stack.call("POST", "/auth-ms/auth/password/reset", {"token": reset_token(stack, thief), "new_password": THIEFS})
    assert stack.log_in(thief, THIEFS).status_code == 200

    undone = stack.call("POST", "/auth-ms/auth/email/change/undo", {"token": undo})

    assert undone.status_code == 204
    assert stack.log_in(thief, THIEFS).status_code == 401
    assert stack.log_in(victim["email"], THIEFS).status_code == 401
    assert is_over(lambda: stack.call("GET", "/auth-ms/auth/sessions", token=stolen))
    mail = eventually(lambda: stack.mails(victim["email"], "Set a new password"))[0]
    body = {"token": stack.mailed_token(mail), "new_password": NEW}
    assert stack.call("POST", "/auth-ms/auth/password/reset", body).status_code == 204
    assert me(stack, stack.token_of(victim["email"], NEW))["id"] == victim["id"]
    assert stack.call("POST", "/auth-ms/auth/email/change/undo", {"token": undo}).status_code == 400


def test_the_old_address_can_undo_a_pending_change(stack):
    user, thief = stack.verified_user(), an_address("thief")
    token = stack.token_of(user["email"])
    stack.call("PATCH", f"/users-ms/users/{user['id']}", {"email": thief}, token=token).raise_for_status()
    asked = eventually(lambda: stack.mails(thief))[0]

    undone = stack.call("POST", "/auth-ms/auth/email/change/undo", {"token": undo_token(stack, user["email"])})

    assert undone.status_code == 204
    late = stack.call("POST", "/auth-ms/auth/email/verify", {"token": stack.mailed_token(asked)})
    assert late.status_code == 400
    assert me(stack, stack.token_of(user["email"]))["pending_email"] == ""


def test_the_old_address_stays_reserved_while_the_change_can_be_undone(stack):
    user, new = stack.verified_user(), an_address("new")
    token = stack.token_of(user["email"])
    stack.call("PATCH", f"/users-ms/users/{user['id']}", {"email": new}, token=token).raise_for_status()
    stack.verify(new)
    body = {"name": "Thief", "surname": "Thief", "email": user["email"], "password": THIEFS}

    assert stack.call("POST", "/users-ms/users", body).status_code == 409


def test_signing_up_with_anothers_address_allows_no_second_factor(stack):
    squatted = stack.sign_up()
    token = stack.token_of(squatted["email"])

    answers = [
        stack.call("POST", "/auth-ms/auth/mfa/totp", token=token),
        stack.call("POST", "/auth-ms/auth/mfa/totp/confirm", {"code": "123456"}, token=token),
        stack.call("POST", "/auth-ms/auth/passkeys/options", token=token),
        stack.call("POST", "/auth-ms/auth/passkeys", {"name": "mine", "credential": {}}, token=token),
    ]

    assert [answer.status_code for answer in answers] == [403] * 4
    assert {answer.json()["title"] for answer in answers} == {"Email not verified"}


@pytest.mark.parametrize("proof", ["reset", "verification"])
def test_the_first_verification_of_an_address_revokes_everything_set_up_before(stack, proof):
    """Pre-hijacking: the attacker signs up with the victim's address before the victim does."""
    squatted = stack.sign_up()
    attackers = stack.log_in(squatted["email"]).json()
    path, token = f"/users-ms/users/{squatted['id']}", attackers["access_token"]
    stack.call("PATCH", path, {"email": an_address("attacker")}, token=token)

    if proof == "reset":
        body = {"token": reset_token(stack, squatted["email"]), "new_password": NEW}
        assert stack.call("POST", "/auth-ms/auth/password/reset", body).status_code == 204
        own = stack.token_of(squatted["email"], NEW)
        assert stack.log_in(squatted["email"]).status_code == 401
    else:
        stack.verify(squatted["email"])
        own = stack.token_of(squatted["email"])

    now = me(stack, own)
    assert (now["email"], now["email_verified"], now["pending_email"]) == (squatted["email"], True, "")
    assert is_over(lambda: stack.call("GET", "/auth-ms/auth/sessions", token=token))
    assert is_over(lambda: stack.call("PATCH", path, {"surname": "Thief"}, token=token))
    refreshed = stack.call("POST", "/auth-ms/auth/refresh", {"refresh_token": attackers["refresh_token"]})
    assert refreshed.status_code == 401


def test_a_change_of_address_revokes_password_reset_tokens(stack):
    user, new = stack.verified_user(), an_address("new")
    old = reset_token(stack, user["email"])
    token = stack.token_of(user["email"])
    stack.call("PATCH", f"/users-ms/users/{user['id']}", {"email": new}, token=token).raise_for_status()
    stack.verify(new)

    answer = stack.call("POST", "/auth-ms/auth/password/reset", {"token": old, "new_password": THIEFS})

    assert answer.status_code == 400
    assert stack.log_in(new).status_code == 200


@pytest.mark.parametrize("how", ["change", "reset"])
def test_any_password_change_revokes_password_reset_tokens(stack, how):
    user = stack.verified_user()
    old = reset_token(stack, user["email"])
    if how == "change":
        body = {"current_password": PASSWORD, "new_password": NEW}
        answer = stack.call("POST", "/auth-ms/auth/password/change", body, token=stack.token_of(user["email"]))
    else:
        body = {"token": reset_token(stack, user["email"]), "new_password": NEW}
        answer = stack.call("POST", "/auth-ms/auth/password/reset", body)
    assert answer.status_code == 204, answer.text

    late = stack.call("POST", "/auth-ms/auth/password/reset", {"token": old, "new_password": THIEFS})

    assert late.status_code == 400
    assert stack.log_in(user["email"], NEW).status_code == 200


NO_ADDRESSES = [
    "v\u0130ctim@example.org",
    "v\u0131ctim@example.org",
    "vi\u017ftim@example.org",
    "\u212aate@example.org",  # the Kelvin sign
    "vic\u00adtim@example.org",  # a soft hyphen
    "victim@exam\u00adple.org",
    "victim@\uff45xample.org",  # full width
    "victim@localhost",
    "victim@[127.0.0.1]",
    "victim@host.local",
]


@pytest.mark.parametrize("email", NO_ADDRESSES, ids=ascii)
def test_an_address_that_looks_like_another_is_rejected(stack, email):
    body = {"name": "Ada", "surname": "Lovelace", "email": email, "password": PASSWORD}

    answer = stack.call("POST", "/users-ms/users", body)

    assert answer.status_code == 400, answer.text
    assert list(answer.json()["errors"]) == ["email"]


def test_a_kelvin_sign_does_not_rename_a_verified_address(stack):
    user = stack.verified_user(email=f"kate.{secrets.token_hex(8)}@example.org")
    path, token = f"/users-ms/users/{user['id']}", stack.token_of(user["email"])

    answer = stack.call("PATCH", path, {"email": f"\u212a{user['email'][1:]}"}, token=token)

    assert answer.status_code == 400
    assert me(stack, token)["email"] == user["email"]


def test_spellings_of_an_international_domain_are_one_address(stack):
    name = secrets.token_hex(8)
    user = stack.sign_up(email=f"Ada.{name}@B\u00fccher.example.org")
    other = {"name": "Ada", "surname": "L", "email": f"ada.{name}@xn--bcher-kva.example.org", "password": PASSWORD}

    assert stack.call("POST", "/users-ms/users", other).status_code == 409
    assert stack.log_in(other["email"]).status_code == 200
    assert stack.log_in(f"ADA.{name}@b\u00fccher.EXAMPLE.org").status_code == 200
    assert user["email"].startswith(f"Ada.{name}@")
    eventually(lambda: stack.mails(other["email"], "Confirm") or stack.mails(user["email"], "Confirm"))


def test_other_spellings_neither_lock_an_account_nor_bypass_email_limits(stack):
    user = stack.verified_user(email=f"victim.{secrets.token_hex(8)}@example.org")
    looks_alike = [user["email"].replace("i", letter, 1) for letter in ("\u0130", "\u0131")]
    looks_alike += [user["email"].upper(), user["email"].title()]

    for written in looks_alike[:2]:
        for _ in range(12):
            stack.log_in(written, "not the password")
    assert stack.log_in(user["email"]).status_code == 200
    for written in looks_alike * 4:
        stack.call("POST", "/auth-ms/auth/password/forgot", {"email": written})
    later = stack.verified_user()
    reset_token(stack, later["email"])

    assert len(stack.mails(user["email"], "Set a new password")) <= 5


def test_a_change_of_address_does_not_disclose_accounts(stack):
    owner, user = stack.verified_user(), stack.verified_user()
    path, token = f"/users-ms/users/{user['id']}", stack.token_of(user["email"])
    free = an_address("free")

    of_free = stack.call("PATCH", path, {"email": free}, token=token)
    of_taken = stack.call("PATCH", path, {"email": owner["email"]}, token=token)

    def without_address(answer, email):
        body = answer.json() | {"updated_at": ""}
        return answer.status_code, {name: "x" if value == email else value for name, value in body.items()}

    assert without_address(of_taken, owner["email"]) == without_address(of_free, free)
    assert of_taken.json()["pending_email"] == owner["email"]
    for _ in range(6):
        last = stack.call("PATCH", path, {"email": an_address("next")}, token=token)
    assert last.status_code == 429


def test_an_idempotency_key_belongs_to_one_client(stack):
    if stack.client_address != "127.0.0.1":
        pytest.skip("only local processes trust an X-Forwarded-For of this test")
    key, answers = secrets.token_hex(16), []
    for address, name in (("203.0.113.7", "Ada"), ("198.51.100.9", "Grace")):
        body = {"name": name, "surname": "L", "email": an_address(name), "password": PASSWORD}
        headers = {"Idempotency-Key": key, "X-Forwarded-For": address}
        answers.append(stack.call("POST", "/users-ms/users", body, headers=headers))

    assert [answer.status_code for answer in answers] == [201, 201]
    assert [answer.json()["name"] for answer in answers] == ["Ada", "Grace"]


def test_sign_up_can_conceal_existing_accounts(stack):
    owner = stack.verified_user()
    with another_users_ms(stack.directory, CONCEAL_ACCOUNTS="true") as (url, _):

        def sign_up(email):
            body = {"name": "Ada", "surname": "Lovelace", "email": email, "password": THIEFS}
            return requests.post(f"{url}/users-ms/users", json=body, timeout=60)

        of_known, of_new = sign_up(owner["email"].upper()), sign_up(an_address())

    assert (of_known.status_code, of_new.status_code) == (202, 202)
    assert of_known.json() == of_new.json()
    assert set(of_known.headers) == set(of_new.headers)
    assert stack.log_in(owner["email"], THIEFS).status_code == 401
    eventually(lambda: stack.mails(owner["email"], "You already have an account"))


def test_passkey_challenges_are_rate_limited(stack):
    headers = {"X-Forwarded-For": f"203.0.113.{secrets.randbelow(250)}"}

    answers = [
        stack.call("POST", "/auth-ms/auth/login/passkey/options", headers=headers).status_code for _ in range(60)
    ]

    assert answers[0] == 200
    assert answers[-1] == 429
