"""The code of docs/guides/openid-connect.md accepts the tokens of an API, and rejects every other."""

import json
import os
import re
import subprocess

import pytest

from evidence.harness import client_packages
from evidence.harness.secure_stack import CALLBACK
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
