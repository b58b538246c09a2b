"""OpenID Connect with a client that others wrote, through the gateway's TLS, as typed by who runs it on a server."""

import pytest

from evidence.harness import client_programs
from evidence.harness.secure_stack import Provider
from evidence.harness.stack import PASSWORD, Stack
from evidence.harness.typed_commands import a_clone
from local import ports

ADMIN = "root@example.org"


@pytest.fixture(scope="module")
def provider(tmp_path_factory):
    """A stack with `compose.tls.yaml`: for `localhost`, Caddy's own authority makes the certificate."""
    tls = ports.free("HTTP_PORT", "HTTPS_PORT")
    issuer = f"https://localhost:{tls['HTTPS_PORT']}"
    settings = {name: str(tls[name]) for name in ("HTTP_PORT", "HTTPS_PORT")}
    settings |= {"COMPOSE_FILE": "compose.yaml:compose.tls.yaml", "SITE_ADDRESS": "localhost"}
    settings |= {"CONSOLE_URL": issuer, "PUBLIC_URL": issuer}
    with a_clone(tmp_path_factory.mktemp("provider") / "tessera-provider") as clone:
        (clone.folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        clone.typed("docker compose up -d --wait")
        clone.typed("docker compose cp gateway:/data/caddy/pki/authorities/local/root.crt .")
        clone.environment["ADMIN_PASSWORD"] = PASSWORD
        admin = "docker compose exec --no-TTY -e ADMIN_PASSWORD users-ms python manage.py create_admin"
        clone.typed(f"{admin} --email={ADMIN}")
        stack = stack_of(clone)
        yield Provider(stack, issuer, clone.folder / "root.crt", ADMIN, stack.verified_user())


def stack_of(clone):
    urls = {name: f"http://127.0.0.1:{clone.ports[f'{name}_PORT']}" for name in ("USERS", "AUTH", "NOTIFICATION")}
    return Stack.of(
        {f"{name}_URL": url for name, url in urls.items()}
        | {"GATEWAY_URL": clone.gateway, "MAIL_URL": f"http://127.0.0.1:{clone.ports['MAIL_PORT']}"}
        | {"BROKER_URL": "", "TESSERA_DIRECTORY": str(clone.folder), "TESSERA_COMMAND": "", "CLIENT_ADDRESS": ""}
    )


def test_authlib_signs_in_refreshes_and_logs_out_over_tls(provider):
    client_programs.signs_in_and_out(provider)
