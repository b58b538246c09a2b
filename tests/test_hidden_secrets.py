"""No secret of the stack appears in process arguments, logs or answers."""

from pathlib import Path

import pytest
import requests

from local import stack as local_stack
from local import supervisor


@pytest.fixture
def layout(stack):
    found = local_stack.running(Path(stack.directory))
    if found is None:
        pytest.skip("only local processes have their secrets on this host; tests/compose covers containers")
    return found


def hidden(layout):
    """Every generated secret of this stack, truncated: a part of a secret must not appear either."""
    return {name: value[:24] for name, value in layout.secrets.items()}


def test_no_secret_is_in_the_arguments_of_a_process(layout):
    seen = 0
    for folder in Path("/proc").iterdir():
        try:
            arguments = (folder / "cmdline").read_bytes().decode(errors="replace")
        except (OSError, ValueError):
            continue
        seen += str(layout.directory) in arguments or "_ms" in arguments
        assert not [name for name, value in hidden(layout).items() if value in arguments], folder
    assert seen >= len(local_stack.every_program(layout)) / 2


def test_no_secret_is_in_a_log(stack, layout):
    account = stack.verified_user()
    tokens = stack.log_in(account["email"]).json()
    requests.get(
        f"{stack.users}/users-ms/users/me", headers={"Authorization": f"Bearer {tokens['access_token']}"}, timeout=60
    )
    values = hidden(layout) | {name: tokens[name][-24:] for name in ("access_token", "refresh_token")}

    logs = list((layout.directory / "logs").glob("*.log*")) + list((layout.directory / "rabbitmq" / "log").glob("*"))

    assert len(logs) > 10
    for file in logs:
        text = file.read_text(errors="replace")
        assert not [name for name, value in values.items() if value in text], file


@pytest.mark.parametrize("service", ["users", "auth", "notification"])
def test_no_answer_contains_a_secret_or_implementation_details(stack, layout, service):
    url = f"{getattr(stack, service)}/{service}-ms"
    asked = [
        requests.get(f"{url}/nothing", timeout=60),
        requests.get(f"{url}/metrics", timeout=60),
        requests.get(f"{url}/ready", timeout=60),
        requests.get(f"{url}/openapi.json", timeout=60),
        requests.post(f"{url}/users", data=b"{", headers={"Content-Type": "application/json"}, timeout=60),
        requests.get(f"{url}/users", headers={"Authorization": "Bearer x.y.z"}, timeout=60),
    ]
    for answer in asked:
        text = answer.text + str(answer.headers)
        assert not [name for name, value in hidden(layout).items() if value in text], answer.url
        assert "Traceback" not in text and "site-packages" not in text and "DEBUG" not in text


def test_files_with_secrets_are_readable_only_by_their_owner(layout):
    for file in (
        local_stack.secrets_file(layout.directory),
        layout.directory / "rabbitmq" / "rabbitmq.conf",
        supervisor.Supervisor(layout).configuration_file,
    ):
        assert file.stat().st_mode & 0o077 == 0, file
