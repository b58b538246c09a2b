"""`make dev` seeds users, reloads changed code, and leaves no process after Ctrl-C. `make seed` adds no user twice."""

import signal
import subprocess
import sys
from pathlib import Path

import requests

from evidence.harness.copied_tree import ENVIRONMENT, run, tree
from evidence.harness.local_processes import processes_of
from evidence.harness.waiting import eventually
from local import ports

__all__ = ["tree"]


def test_make_dev_seeds_users_reloads_code_and_leaves_nothing_behind(tree):
    numbers = ports.free()
    moved = {name: str(number) for name, number in numbers.items()}
    gateway, mail = (f"http://127.0.0.1:{numbers[name]}" for name in ("GATEWAY_PORT", "MAIL_PORT"))
    command = [sys.executable, "-m", "tools", "dev"]
    with (tree.parent / "output").open("w") as output:
        development = subprocess.Popen(command, cwd=tree, env=ENVIRONMENT | moved, stdout=output, stderr=output)
    printed = tree.parent / "output"

    eventually(lambda: "The logs follow" in printed.read_text(), seconds=900)
    assert "36 users added, 0 existed already" in printed.read_text()
    assert "0 users added, 36 existed already" in run(tree, "tools", "seed").stdout
    sakura = requests.get(f"{mail}/api/v1/search", {"query": 'to:"sakura.tanaka@demo.example"'}, timeout=60).json()
    assert "Confirm your email address" in {message["Subject"] for message in sakura["messages"]}
    assert any("Hello さくら" in message["Snippet"] for message in sakura["messages"])

    change(tree / "chassis" / "http" / "errors.py", "There is nothing at this path.", "Here is nothing.")
    eventually(lambda: answered(f"{gateway}/users-ms/nothing") == "Here is nothing.")
    eventually(lambda: answered(f"{gateway}/auth-ms/nothing") == "Here is nothing.")

    development.send_signal(signal.SIGINT)
    assert development.wait(timeout=300) == 0
    assert processes_of(tree / ".local") == []


def change(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))


def answered(url: str) -> str:
    try:
        return str(requests.get(url, timeout=60).json()["detail"])
    except (requests.RequestException, KeyError):
        return ""
