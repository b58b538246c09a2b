"""FACTORS: which second factors users may add. Those that they have go on working."""

import pyotp
import pytest

from auth.tests.actions import add, begin, confirm, first_step, second_step
from auth.tests.authenticator import Authenticator
from auth.tests.builders import as_json
from auth_ms.models import RecoveryCode

pytestmark = pytest.mark.django_db
ALL = {"totp", "passkeys", "recovery_codes"}


def refused(answer):
    return answer.status_code == 403 and answer.json()["code"] == "factor_not_offered"


def test_all_are_offered_by_default(ada_client):
    assert ada_client.get("/auth-ms/auth/mfa").json()["offered"] == sorted(ALL)


@pytest.mark.parametrize("left_out", sorted(ALL))
def test_what_is_not_offered_is_not_in_the_list(ada_client, settings, left_out):
    settings.FACTORS = ALL - {left_out}

    assert ada_client.get("/auth-ms/auth/mfa").json()["offered"] == sorted(ALL - {left_out})


def test_one_time_passwords_that_are_not_offered_cannot_be_added(ada_client, settings):
    begun = begin(ada_client)
    settings.FACTORS = ALL - {"totp"}

    assert refused(ada_client.post("/auth-ms/auth/mfa/totp"))
    assert refused(confirm(ada_client, begun.now()))


def test_passkeys_that_are_not_offered_cannot_be_added(ada_client, settings):
    options = ada_client.post("/auth-ms/auth/passkeys/options").json()
    settings.FACTORS = ALL - {"passkeys"}
    body = {"name": "my key", "credential": Authenticator().create(options)}

    assert refused(ada_client.post("/auth-ms/auth/passkeys/options"))
    assert refused(ada_client.post("/auth-ms/auth/passkeys", **as_json(body)))


def test_recovery_codes_that_are_not_offered_are_not_given(ada_client, settings):
    settings.FACTORS = ALL - {"recovery_codes"}

    added = add(ada_client, Authenticator())

    assert added.status_code == 201 and added.json()["recovery_codes"] == []
    assert refused(ada_client.post("/auth-ms/auth/mfa/recovery-codes"))
    assert not RecoveryCode.objects.exists()


def test_a_factor_that_is_not_offered_any_more_is_still_asked_for_and_accepted(client, ada_client, settings):
    totp: pyotp.TOTP = begin(ada_client)
    codes = confirm(ada_client, totp.now()).json()["recovery_codes"]
    settings.FACTORS = {"passkeys"}

    pending = first_step(client)

    assert pending["methods"] == ["totp", "recovery_code"]  # a password alone opens nothing
    assert second_step(client, pending["mfa_token"], codes[0], method="recovery_code").status_code == 200
    assert ada_client.delete("/auth-ms/auth/mfa/totp").status_code == 204
