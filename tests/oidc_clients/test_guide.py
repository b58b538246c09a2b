"""The code of docs/guides/openid-connect.md accepts the tokens of an API, and rejects every other."""

import json
import os
import re
import subprocess
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
import pytest

from evidence.harness import client_packages
from evidence.harness.secure_stack import CALLBACK, ORDERS
from evidence.harness.stack import PASSWORD
from local.paths import ROOT

GUIDE = ROOT / "docs" / "guides" / "openid-connect.md"
API, OTHER_API = "https://api.orders.example.org", "https://api.billing.example.org"
# What an application adds: it verifies each token of its arguments.
PYTHON = """
import sys, json
for token in sys.argv[1:]:
    try:
        print(json.dumps(verify(token)))
    except jwt.PyJWTError as error:
        print(json.dumps({"rejected": str(error)}))
"""
NODE = """
for (const token of process.argv.slice(2)) {
  try {
    console.log(JSON.stringify(await verify(token)))
  } catch (error) {
    console.log(JSON.stringify({ rejected: error.message }))
  }
}
"""


def excerpt(language, function):
    """The code block of the guide that defines `function`."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    found = [block for block in blocks if function in block]
    assert len(found) == 1, f"{len(found)} blocks of {language} in the guide have {function!r}"
    return found[0]


@pytest.fixture(scope="module")
def tokens(secure):
    """Access tokens of a user and of a machine, then those that an API must reject."""
    client = secure.register(
        "Orders",
        grant_types=["authorization_code", "client_credentials"],
        redirect_uris=[CALLBACK],
        scopes=["openid", "email", "orders:read"],
        resources=[API, OTHER_API],
        first_party=True,
    )
    code = secure.came_back(client, resource=API)["code"]
    of_user = secure.redeem(client, code=code).json()

    def of_machine(**form):
        credentials = (client["client_id"], client["client_secret"])
        given = {"grant_type": "client_credentials", "scope": "orders:read"} | form
        return secure.post("token_endpoint", given, auth=credentials).json()["access_token"]

    machine = of_machine(resource=API)
    header, payload, signature = machine.split(".")
    return {
        "user": of_user["access_token"],
        "machine": machine,
        "ID token": of_user["id_token"],
        "another API's": of_machine(resource=OTHER_API),
        "account API's": secure.stack.token_of(secure.user["email"], PASSWORD),
        "changed": f"{header}.{payload}.{signature[::-1]}",
        "unsigned": f"eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{payload}.",
    }


def test_a_request_too_long_for_an_address_is_pushed(secure):
    client = secure.register("Orders", **ORDERS, first_party=True)
    wishes = json.dumps({"userinfo": {f"https://orders.example.org/claims/{number}": None for number in range(150)}})
    long = secure.authorization_url(client, claims=wishes)
    form = dict(parse_qsl(urlsplit(long).query))

    refused = secure.browser().open(long)
    answer = secure.post(
        "pushed_authorization_request_endpoint", form, auth=(client["client_id"], client["client_secret"])
    )
    pushed = {"client_id": client["client_id"], "request_uri": answer.json()["request_uri"]}
    page = secure.browser().open(f"{secure.discovery()['authorization_endpoint']}?{urlencode(pushed)}")

    assert len(urlsplit(long).query) > 8190 > len(wishes)
    assert refused.status_code == 414
    assert (answer.status_code, answer.json()["expires_in"]) == (201, 90)
    assert page.status_code == 200


def test_the_guides_challenge_leads_to_a_token_of_a_new_login(secure):
    names = {}
    exec(excerpt("python", "def challenge("), names)  # noqa: S102  # nosec B102 - the guide's own code
    client = secure.register("Orders", **ORDERS, first_party=True)
    browser = secure.browser()

    def claims_after(answer):
        code = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))["code"]
        return jwt.decode(secure.redeem(client, code=code).json()["access_token"], options={"verify_signature": False})

    first = claims_after(
        browser.sign_in(browser.open(secure.authorization_url(client)), secure.user["email"], PASSWORD)
    )
    assert names["challenge"](first) is None
    weak = names["challenge"](first, acr="aal2")
    assert weak == 'Bearer error="insufficient_user_authentication", acr_values="aal2", max_age="900"'
    old = names["challenge"](first | {"auth_time": first["auth_time"] - 901})

    asked = {**dict(re.findall(r'(acr_values|max_age)="(.*?)"', old)), "max_age": "0"}  # at once, not in 15 minutes
    page = browser.open(secure.authorization_url(client, **asked))
    second = claims_after(browser.sign_in(page, secure.user["email"], PASSWORD))

    assert page.status_code == 200  # asks again, although the browser is signed in
    assert names["challenge"](second) is None


def written(secure, language, rest, file):
    text = excerpt(language, "verify(token").replace("https://accounts.example.org", secure.issuer)
    file.write_text(text + rest)
    return str(file)


@pytest.mark.parametrize("language", ["python", "js"])
def test_the_guides_code_verifies_access_tokens(secure, tokens, tmp_path, language):
    if language == "python":
        command = [str(client_packages.python()), written(secure, language, PYTHON, tmp_path / "verify.py")]
    else:
        folder = client_packages.node_modules()
        command = ["node", written(secure, language, NODE, folder / "verify.mjs")]
    trust = {"SSL_CERT_FILE": str(secure.authority), "NODE_EXTRA_CA_CERTS": str(secure.authority)}

    done = subprocess.run(
        [*command, *tokens.values()], env=os.environ | trust, capture_output=True, text=True, timeout=120
    )

    assert done.returncode == 0, done.stderr
    told = dict(zip(tokens, map(json.loads, done.stdout.splitlines()), strict=True))
    assert told["user"]["sub"] == str(secure.user["id"])
    assert told["machine"]["scope"] == "orders:read"
    assert [name for name, claims in told.items() if "rejected" not in claims] == ["user", "machine"]
    print(f"the guide's {language}: accepts {API}'s tokens, rejects {', '.join(list(tokens)[2:])}")
