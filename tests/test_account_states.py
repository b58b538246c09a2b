"""Stateful test of accounts: an owner, an attacker and an admin take random steps on the running stack.

Invariants: a revoked right cannot be used; only the user who verified an address owns its account; emails go only to
the owner. `make states TIME=10m SEED=7` runs it for longer.

The owner is careful: she verifies an address only for her own account or change. A user who confirms a stranger's
account with her own mailbox is not protected (docs/security.md).
"""

import os
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyotp
import pytest
import requests
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from evidence.harness.stack import Stack
from evidence.harness.waiting import eventually

SECONDS = float(os.environ.get("STATES_SECONDS", "0"))
SEED = int(os.environ.get("SEED") or "21")
SEQUENCES, STEPS = 5, 30  # in `make test`
MAILS_AN_HOUR = 4  # below the limits of users-ms and auth-ms per address, so that every expected email is sent
FAILURES = 3  # fewer than the five that lock an account at an address
KINDS = {"verify": "/verify/", "reset": "/password/reset/", "undo": "/email/undo/"}
WHO, WHICH = st.sampled_from(["owner", "attacker"]), st.integers(min_value=0, max_value=7)
# Deactivation and deletion are rarer, because few steps are possible after them.
ADMINISTRATION = st.sampled_from(["promote", "demote"] * 3 + ["deactivate", "activate", "activate", "delete"])
Draw = Callable[[st.SearchStrategy[Any]], Any]


def new_password() -> str:
    """A password unlike every address here, as the policy requires."""
    return f"zzzzqqqq {secrets.randbelow(10**12):012d} vvvvwwww"


@dataclass(eq=False)
class Actor:
    """An actor with mailboxes and the passwords that they have set."""

    name: str
    mailboxes: list[str]
    passwords: dict[int, list[str]] = field(default_factory=dict)


@dataclass(eq=False)
class Account:
    """The expected state of an account, by the rules of docs/security.md."""

    id: int
    creator: str
    email: str
    password: str | None  # None: usable only after a password reset by email
    pending: str = ""
    requested_by: str = ""
    is_verified: bool = False
    is_active: bool = True
    is_admin: bool = False
    is_deleted: bool = False
    codes: list[str] = field(default_factory=list)  # recovery codes of its second factor, known to `codes_of`
    codes_of: str = ""
    serial: int = 0  # number of changes that revoke emailed tokens

    @property
    def is_open(self) -> bool:
        return self.is_active and not self.is_deleted


@dataclass(eq=False)
class Session:
    actor: str
    account: Account
    access: str
    refresh: str
    is_alive: bool = True


@dataclass(eq=False)
class Mailed:
    """A token in a mailbox, and its purpose."""

    kind: str
    address: str
    account: Account
    token: str
    serial: int
    asked_by: str
    is_spent: bool = False


class Lives(RuleBasedStateMachine):
    """`stack` and `admin_email` are set by the test."""

    stack: Stack
    admin_email: str
    done: Counter[str]

    @initialize()
    def begin(self) -> None:
        self.done["sequence"] += 1
        self.marks = {name: f"{name}{secrets.token_hex(4)}" for name in ("owner", "attacker")}
        self.actors = {
            name: Actor(name=name, mailboxes=[f"{mark}.{number}@example.org" for number in (1, 2)])
            for name, mark in self.marks.items()
        }
        self.accounts: list[Account] = []
        self.sessions: list[Session] = []
        self.mailed: list[Mailed] = []
        self.sent: dict[str, int] = {}
        self.reserved: dict[str, Account] = {}
        self.failures: dict[str, int] = {}
        self.admin = self.log_in_as_admin()

    # ------------------------------------------------------------------------------------------ helpers
    def log_in_as_admin(self) -> dict[str, str]:
        answer = self.stack.log_in(self.admin_email)
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def auth(self, method: str, path: str, body: Any = None, session: Session | None = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {session.access}"} if session else {}
        url = f"{self.stack.auth}/auth-ms/auth/{path}"
        return requests.request(method, url, json=body, headers=headers, timeout=60)

    def users(self, method: str, account: Account, body: Any = None, *, headers: dict[str, str]) -> requests.Response:
        url = f"{self.stack.users}/users-ms/users/{account.id}"
        return requests.request(method, url, json=body, headers=headers, timeout=60)

    def of(self, session: Session) -> dict[str, str]:
        return {"Authorization": f"Bearer {session.access}"}

    def addresses(self) -> list[str]:
        return [address for actor in self.actors.values() for address in actor.mailboxes]

    def owner_of(self, address: str) -> Actor:
        return next(actor for actor in self.actors.values() if address in actor.mailboxes)

    def holder(self, address: str) -> Account | None:
        """The account that has the address or can still restore it."""
        held = [each for each in self.accounts if each.email == address and not each.is_deleted]
        reserved = self.reserved.get(address)
        return held[0] if held else reserved if reserved and not reserved.is_deleted else None

    def tokens_in(self, address: str, kind: str) -> list[str]:
        texts = [self.stack.mail_text(mail) for mail in self.stack.mails(address)]
        return [found for text in texts for found in re.findall(rf"{KINDS[kind]}([\w-]{{43}})", text)]

    def expect_mail(self, kind: str, address: str, account: Account, *, asked_by: str) -> None:
        """Wait for an emailed token, unless a rate limit may have suppressed it."""
        key = f"{kind} {address}"
        self.sent[key] = self.sent.get(key, 0) + 1
        if self.sent[key] > MAILS_AN_HOUR:
            return
        known = {each.token for each in self.mailed}
        [token] = eventually(lambda: [each for each in self.tokens_in(address, kind) if each not in known])
        self.mailed.append(Mailed(kind, address, account, token, account.serial, asked_by))

    def is_limited(self, kind: str, address: str) -> bool:
        return self.sent.get(f"{kind} {address}", 0) >= MAILS_AN_HOUR

    def end_sessions(self, account: Account, *, but: Session | None = None) -> None:
        for session in self.sessions:
            if session.account is account and session is not but:
                session.is_alive = False

    def set_password(self, account: Account, actor: Actor, password: str) -> None:
        account.password, account.pending = password, ""
        account.serial += 1
        actor.passwords.setdefault(account.id, []).append(password)

    def note_first_proof(self, account: Account) -> None:
        if not account.is_verified:
            self.end_sessions(account)
            account.is_verified, account.codes, account.codes_of = True, [], ""
            account.serial += 1

    def is_replaced(self, mailed: Mailed) -> bool:
        """True when a later email has replaced this one."""
        same = [each for each in self.mailed if (each.kind, each.account) == (mailed.kind, mailed.account)]
        return same[-1] is not mailed

    def pick(self, things: list[Any], which: int) -> Any:
        return things[which % len(things)]

    def alive(self) -> list[Session]:
        return [session for session in self.sessions if session.is_alive and session.account.is_open]

    # -------------------------------------------------------------------------------------------- steps
    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        """Take one of the possible steps; steps with more consequences are more likely."""
        steps = [step for step, weight in self.possible() for _ in range(weight)]
        data.draw(st.sampled_from(steps))(data.draw)

    def possible(self) -> list[tuple[Callable[[Draw], None], int]]:
        kinds = {mailed.kind for mailed in self.mailed if not mailed.is_spent}
        open_accounts = [account for account in self.accounts if not account.is_deleted]
        steps: list[tuple[Callable[[Draw], None], int]] = [
            (lambda draw: self.sign_up(draw(WHO), draw(WHICH)), 2 if len(open_accounts) < 3 else 0),
            (lambda draw: self.log_in(draw(WHO), draw(WHICH), draw(WHICH)), 4 if open_accounts else 0),
            (lambda draw: self.forget_password(draw(WHICH)), 2 if open_accounts else 0),
            (lambda draw: self.verify_address(draw(WHICH)), 4 if "verify" in kinds else 0),
            (lambda draw: self.reset_password(draw(WHICH)), 2 if "reset" in kinds else 0),
            (lambda draw: self.undo_change_of_address(draw(WHICH)), 2 if "undo" in kinds else 0),
            (lambda draw: self.administer(draw(WHICH), draw(ADMINISTRATION)), 2 if open_accounts else 0),
        ]
        if self.alive():
            steps += [
                (lambda draw: self.enrol_second_factor(draw(WHICH)), 2),
                (lambda draw: self.change_password(draw(WHICH)), 1),
                (lambda draw: self.request_other_address(draw(WHICH), draw(WHICH)), 4),
                (lambda draw: self.log_out(draw(WHICH), draw(st.booleans())), 1),
                (lambda draw: self.refresh(draw(WHICH)), 1),
                (lambda draw: self.delete_own_account(draw(WHICH)), 1),
            ]
        return steps

    # -------------------------------------------------------------------------------- owner and attacker
    def sign_up(self, who: str, which: int) -> None:
        """The attacker signs up with any address, the owner with one of hers."""
        actor = self.actors[who]
        address = self.pick(actor.mailboxes if who == "owner" else self.addresses(), which)
        password = new_password()
        body = {"name": "Ada", "surname": "Doe", "email": address, "password": password}
        answer = requests.post(f"{self.stack.users}/users-ms/users", json=body, timeout=60)
        if self.holder(address):
            assert answer.status_code == 409, answer.text
            return
        assert answer.status_code == 201, answer.text
        account = Account(id=answer.json()["id"], creator=who, email=address, password=None)
        self.accounts.append(account)
        self.done["sign-up"] += 1
        self.set_password(account, actor, password)
        self.expect_mail("verify", address, account, asked_by=who)

    def log_in(self, who: str, which: int, password: int) -> None:
        """Log in with a password that the actor has ever set, whether or not it is current."""
        actor, account = self.actors[who], self.pick(self.accounts, which)
        known = actor.passwords.get(account.id, [])
        if not known:
            return
        typed = self.pick(known, password)
        if not account.is_open or typed != account.password:
            self.fail_to_log_in(account, typed)
            return
        answer = self.stack.log_in(account.email, typed)
        assert answer.status_code == 200, (answer.text, account)
        self.failures.pop(account.email, None)
        tokens = answer.json()
        if "mfa_token" in tokens:
            assert account.codes_of, account
            if account.codes_of != who or not account.codes:
                return
            body = {"mfa_token": tokens["mfa_token"], "method": "recovery_code", "code": account.codes.pop()}
            answer = self.auth("POST", "login/mfa", body)
            assert answer.status_code == 200, answer.text
            tokens = answer.json()
        else:
            assert not account.codes_of, account
        self.done["login"] += 1
        self.sessions.append(Session(who, account, tokens["access_token"], tokens["refresh_token"]))

    def fail_to_log_in(self, account: Account, password: str) -> None:
        """Log in with a wrong password, too rarely to lock the owner out."""
        if self.failures.setdefault(account.email, 0) < FAILURES:
            self.failures[account.email] += 1
            answer = self.stack.log_in(account.email, password)
            assert answer.status_code == 401, (answer.status_code, account)

    def enrol_second_factor(self, which: int) -> None:
        session = self.pick(self.alive(), which)
        account = session.account
        answer = self.auth("POST", "mfa/totp", session=session)
        if not account.is_verified:
            assert answer.status_code == 403, answer.text
        elif account.codes_of:
            assert answer.status_code == 409, answer.text
        else:
            assert answer.status_code == 201, answer.text
            body = {"code": pyotp.TOTP(answer.json()["secret"]).now()}
            confirmed = self.auth("POST", "mfa/totp/confirm", body, session)
            assert confirmed.status_code == 200, confirmed.text
            self.done["second factor"] += 1
            account.codes, account.codes_of = confirmed.json()["recovery_codes"], session.actor

    def change_password(self, which: int) -> None:
        session = self.pick(self.alive(), which)
        account, actor = session.account, self.actors[session.actor]
        if account.password is None or account.password not in actor.passwords.get(account.id, []):
            return
        password = new_password()
        body = {"current_password": account.password, "new_password": password}
        answer = self.auth("POST", "password/change", body, session)
        assert answer.status_code == 204, answer.text
        self.done["password changed"] += 1
        self.set_password(account, actor, password)
        self.end_sessions(account, but=session)

    def forget_password(self, which: int) -> None:
        """Any actor may request a reset of any address; the email goes only to that address."""
        account = self.pick(self.accounts, which)
        if self.is_limited("reset", account.email) or self.holder(account.email) is not account:
            return
        assert self.auth("POST", "password/forgot", {"email": account.email}).status_code == 202
        if account.is_open:
            self.expect_mail("reset", account.email, account, asked_by="anybody")

    def reset_password(self, which: int) -> None:
        """Reset a password with any token ever emailed; the mailbox's owner sets the password."""
        found = [each for each in self.mailed if each.kind == "reset"]
        if not found:
            return
        mailed = self.pick(found, which)
        account, actor = mailed.account, self.owner_of(mailed.address)
        password = new_password()
        answer = self.auth("POST", "password/reset", {"token": mailed.token, "new_password": password})
        if mailed.is_spent or mailed.serial != account.serial or not account.is_open:
            assert answer.status_code == 400, (answer.status_code, mailed)
            self.done["stale token rejected"] += 1
            return
        if answer.status_code == 400 and self.is_replaced(mailed):
            return
        assert answer.status_code == 204, (answer.json().get("errors"), mailed.kind, account)
        mailed.is_spent = True
        self.done["password reset"] += 1
        self.set_password(account, actor, password)
        self.end_sessions(account)
        self.note_first_proof(account)

    def verify_address(self, which: int) -> None:
        """Verify an address with any token ever emailed, as a careful owner or a careless attacker."""
        found = [each for each in self.mailed if each.kind == "verify"]
        mine = [each for each in found if self.owner_of(each.address).name in ("attacker", each.asked_by)]
        if not mine:
            return
        mailed = self.pick(mine, which)
        account = mailed.account
        answer = self.auth("POST", "email/verify", {"token": mailed.token})
        is_current, is_pending = mailed.address == account.email, mailed.address == account.pending
        if mailed.is_spent or not account.is_open or not (is_current or is_pending) or mailed.serial != account.serial:
            assert answer.status_code in (400, 409), (answer.status_code, mailed)
            mailed.is_spent = True
            self.done["stale token rejected"] += 1
            return
        if is_pending and self.holder(mailed.address) not in (None, account):
            assert answer.status_code in (400, 409), (answer.status_code, mailed)
            return
        if answer.status_code == 400 and self.is_replaced(mailed):
            return
        assert answer.ok, (answer.text, mailed)
        mailed.is_spent = True
        self.done["address changed" if is_pending else "address verified"] += 1
        if is_pending:
            if account.is_verified:
                self.reserved[account.email] = account
            self.reserved.pop(mailed.address, None)
            account.email = mailed.address
            account.serial += 1
        account.pending = ""
        self.note_first_proof(account)

    def request_other_address(self, which: int, where: int) -> None:
        session = self.pick(self.alive(), which)
        account = session.account
        address = self.pick(self.addresses(), where)
        if self.is_limited("change", str(account.id)) or self.is_limited("verify", address):
            return
        self.sent[f"change {account.id}"] = self.sent.get(f"change {account.id}", 0) + 1
        answer = self.users("PATCH", account, {"email": address}, headers=self.of(session))
        assert answer.status_code == 200, answer.text
        assert answer.json()["email"] == account.email
        if address == account.email:
            account.pending = ""
            return
        assert answer.json()["pending_email"] == address
        if self.holder(address) in (None, account):
            self.expect_mail("verify", address, account, asked_by=session.actor)
        if account.is_verified:
            self.expect_mail("undo", account.email, account, asked_by=session.actor)
        account.pending = address

    def undo_change_of_address(self, which: int) -> None:
        found = [each for each in self.mailed if each.kind == "undo" and not each.is_spent and each.account.is_open]
        if not found:
            return
        mailed = self.pick(found, which)
        account = mailed.account
        answer = self.auth("POST", "email/change/undo", {"token": mailed.token})
        if answer.status_code == 400:  # nothing to undo: the address was changed back, or the token was revoked
            assert mailed.address == account.email, (answer.text, mailed)
            return
        assert answer.ok, (answer.text, mailed)
        mailed.is_spent = True
        self.done["change of address undone"] += 1
        account.pending = ""
        account.serial += 1
        self.end_sessions(account)
        if account.codes_of:  # factors added after the request are removed; a login shows which one is left
            account.codes, account.codes_of = self.codes_left(account)
        if account.email != mailed.address:
            self.reserved.pop(mailed.address, None)
            account.email, account.password = mailed.address, None
            if not self.is_limited("reset", account.email):
                self.expect_mail("reset", account.email, account, asked_by="auth-ms")

    def codes_left(self, account: Account) -> tuple[list[str], str]:
        headers = self.admin_headers()
        url = f"{self.stack.auth}/auth-ms/auth/audit-log?user_id={account.id}&event=second_factors_removed"
        removed = requests.get(url, headers=headers, timeout=60).json()["results"]
        return ([], "") if removed else (account.codes, account.codes_of)

    def log_out(self, which: int, everywhere: bool) -> None:
        session = self.pick(self.alive(), which)
        assert self.auth("POST", "logout-all" if everywhere else "logout", session=session).status_code == 204
        session.is_alive = False
        if everywhere:
            self.end_sessions(session.account)

    def refresh(self, which: int) -> None:
        session = self.pick(self.alive(), which)
        answer = self.auth("POST", "refresh", {"refresh_token": session.refresh})
        assert answer.status_code == 200, answer.text
        session.access, session.refresh = answer.json()["access_token"], answer.json()["refresh_token"]

    def delete_own_account(self, which: int) -> None:
        session = self.pick(self.alive(), which)
        assert self.users("DELETE", session.account, headers=self.of(session)).status_code == 204
        self.note_deleted(session.account)

    def note_deleted(self, account: Account) -> None:
        account.is_deleted = True
        self.done["account deleted"] += 1
        self.end_sessions(account)
        self.reserved = {address: held for address, held in self.reserved.items() if held is not account}

    # -------------------------------------------------------------------------------------------- admin
    def admin_headers(self) -> dict[str, str]:
        return self.admin

    def administer(self, which: int, what: str) -> None:
        account = self.pick([account for account in self.accounts if not account.is_deleted], which)
        if what == "delete":
            assert self.users("DELETE", account, headers=self.admin_headers()).status_code == 204
            self.note_deleted(account)
            return
        name, value = {
            "promote": ("is_admin", True),
            "demote": ("is_admin", False),
            "deactivate": ("is_active", False),
            "activate": ("is_active", True),
        }[what]
        answer = self.users("PATCH", account, {name: value}, headers=self.admin_headers())
        assert answer.status_code == 200, answer.text
        setattr(account, name, value)
        self.done[what] += 1
        if what == "deactivate":
            self.end_sessions(account)

    # --------------------------------------------------------------------------------------- invariants
    @invariant()
    def revoked_rights_cannot_be_used(self) -> None:
        for session in self.sessions[-5:]:
            is_alive = session.is_alive and session.account.is_open
            if is_alive:
                self.check_alive(session)
            else:
                eventually(lambda session=session: self.is_dead(session))
                self.done["dead session rejected"] += 1

    def check_alive(self, session: Session) -> None:
        answer = self.users("PATCH", session.account, {"is_admin": True, "surname": "Roe"}, headers=self.of(session))
        assert answer.status_code == 200, (answer.text, session)
        assert answer.json()["is_admin"] is session.account.is_admin, session
        found = requests.get(f"{self.stack.users}/users-ms/users?limit=1", headers=self.of(session), timeout=60)
        if not session.account.is_admin:
            assert found.status_code == 403, session

    def is_dead(self, session: Session) -> bool:
        own = self.users("PATCH", session.account, {"surname": "Poe"}, headers=self.of(session)).status_code
        listed = requests.get(f"{self.stack.users}/users-ms/users?limit=1", headers=self.of(session), timeout=60)
        factors = self.auth("POST", "mfa/totp", session=session).status_code
        preferences = requests.put(
            f"{self.stack.notification}/notification-ms/preferences",
            json={"preferences": []},
            headers=self.of(session),
            timeout=60,
        ).status_code
        refreshed = self.auth("POST", "refresh", {"refresh_token": session.refresh}).status_code
        body = {"token": session.access}
        url = f"{self.stack.auth}/auth-ms/auth/introspect"
        introspected = requests.post(url, json=body, headers=self.admin_headers(), timeout=60).json()
        return (
            own == 401
            and listed.status_code in (401, 403)
            and factors == preferences == refreshed == 401
            and introspected == {"active": False}
        )

    @invariant()
    def only_who_proved_the_address_owns_the_account(self) -> None:
        """A verified account accepts only the passwords of the user who verified its address last."""
        for account in self.accounts[-3:]:
            if not account.is_open or account.password is None:
                continue
            for actor in self.actors.values():
                stale = [each for each in actor.passwords.get(account.id, []) if each != account.password]
                for typed in stale[-1:]:
                    self.fail_to_log_in(account, typed)

    def teardown(self) -> None:
        """Emails went only to the owner: none contains an address of the other actor."""
        for name, actor in getattr(self, "actors", {}).items():
            other = "owner" if name == "attacker" else "attacker"
            for address in actor.mailboxes:
                for mail in self.stack.mails(address):
                    text = mail["Subject"] + self.stack.mail_text(mail)
                    assert f"{self.marks[other]}." not in text, (address, text)


@pytest.fixture
def lives(stack: Stack, admins_email: str) -> type[Lives]:
    Lives.stack, Lives.admin_email, Lives.done = stack, admins_email, Counter()
    return Lives


def run(machine: type[Lives], *, examples: int, random_seed: int) -> None:
    """Runs sequences; prints a failing one unshrunk, because shrinking would take hours."""
    chosen = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    seed(random_seed)(machine)
    run_state_machine_as_test(machine, settings=chosen)


def test_no_sequence_of_steps_gives_access_to_another_account(lives):
    ends = time.monotonic() + SECONDS
    run(lives, examples=SEQUENCES, random_seed=SEED)
    rounds = 1
    while time.monotonic() < ends:
        run(lives, examples=SEQUENCES, random_seed=SEED + rounds)
        rounds += 1
    print(f"\nseeds {SEED} to {SEED + rounds - 1}, up to {STEPS} steps a sequence:", dict(lives.done.most_common()))
    for what in ("login", "address verified", "password reset", "dead session rejected", "stale token rejected"):
        assert lives.done[what], f"no sequence reached: {what}"
