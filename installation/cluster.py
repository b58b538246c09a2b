"""The secrets on Kubernetes: the Job of the component generated-secrets runs `python -m installation.cluster`.

What a Secret holds is kept, what is missing is made. With the argument `print` it prints new values of all of them as
JSON, for the secret manager of a cloud.
"""

import base64
import json
import os
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from installation import broker_rights, secret_values
from installation.service_catalog import SERVICES

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
BROKER = "rabbitmq.tessera.svc:5672"  # also for KEDA, in its own namespace
BROKER_USERS = "users.json"
CAUGHT_MAIL = "mail-catcher-cluster-ip-service:1025"
TIMEOUT_SECONDS = 10
Secrets = dict[str, dict[str, str]]  # values by key, by the name of the Secret


def main() -> None:
    """Completes the Secrets and prints the names of the keys that were made. Exits when data needs a lost one."""
    there = {name: found for name in names() if (found := read(name)) is not None}
    if lost := lost_keys(there):
        sys.exit(
            f"Lost: {', '.join(lost)}. The data in the volumes needs the old value, so no new one is made.\n"
            "To keep the data, put the value back into the Secret. To forget it: kubectl delete namespace tessera"
        )
    for name, values in completed(there).items():
        if values == there.get(name):
            print(f"{name}: kept")
            continue
        write(name, values, is_new=name not in there)
        made = sorted(key for key in values if key not in there.get(name, {}))
        print(f"{name}: {'made' if made else 'changed'} {', '.join(made)}")


def names() -> list[str]:
    """The Secrets, as the manifests call them."""
    of_services = [f"{service}-{part}-secrets" for service in SERVICES for part in ("ms", "db")]
    return [*of_services, "broker-secrets", "sealing-secrets"]


def lost_keys(there: Secrets) -> list[str]:
    """What was made with a service's first start, cannot be replaced, and is gone while the service's rest is there."""
    lost = []
    for service in SERVICES:
        ms, db = f"{service}-ms-secrets", f"{service}-db-secrets"
        if ms not in there and db not in there:
            continue  # a new service
        needed = [(db, "POSTGRES_PASSWORD"), *([(ms, "SIGNING_KEY_ENCRYPTION_KEY")] if service == "auth" else [])]
        lost += [f"{key} of {name}" for name, key in needed if not there.get(name, {}).get(key)]
    return lost


def completed(there: Secrets) -> Secrets:
    """All Secrets: what is `there`, and new values for what is not."""
    values: Secrets = {}
    for service in SERVICES:
        ms, db = f"{service}-ms-secrets", f"{service}-db-secrets"
        owner = there.get(db, {}).get("POSTGRES_PASSWORD") or secret_values.random_value()
        process, address = secret_values.random_value(), f"{service}-db-cluster-ip-service:5432/{service}"
        values[db] = {"POSTGRES_PASSWORD": owner, "DATABASE_OWNER_URL": f"postgres://{service}:{owner}@{address}"}
        values[ms] = {
            "SECRET_KEY": secret_values.random_value(),
            "DATABASE_URL": f"postgres://{service}_service:{process}@{address}",
        }
    values["auth-ms-secrets"]["SIGNING_KEY_ENCRYPTION_KEY"] = secret_values.random_value()
    values["notification-ms-secrets"] |= {
        "EMAIL_URL": f"smtp://{CAUGHT_MAIL}",
        "SMS_URL": f"mailto://{CAUGHT_MAIL}/?mode=insecure&from=sms@tessera.example&to=sms{{phone}}@tessera.example",
    }
    passwords = {broker_rights.secret_name(user): secret_values.random_value() for user in broker_rights.names()}
    values["broker-secrets"] = {user: broker_rights.url(user, passwords, BROKER) for user in broker_rights.names()}
    pair = secret_values.SEALING_PRIVATE_KEY, secret_values.SEALING_PUBLIC_KEY
    if not all(there.get("sealing-secrets", {}).get(key) for key in pair):
        there = {name: found for name, found in there.items() if name != "sealing-secrets"}
    values["sealing-secrets"] = secret_values.encryption_keys()
    values = {name: made | there.get(name, {}) for name, made in values.items()}
    values["broker-secrets"][BROKER_USERS] = broker_rights.users(broker_passwords(values["broker-secrets"]))
    return values


def broker_passwords(urls: Mapping[str, str]) -> dict[str, str]:
    """The passwords in the URLs of `broker-secrets`, by the names that they have among the secrets."""
    return {broker_rights.secret_name(user): urlsplit(urls[user]).password or "" for user in broker_rights.names()}


def read(name: str) -> dict[str, str] | None:
    """What a Secret holds; None when there is none of that name."""
    found = _ask("GET", f"/{name}")
    if found is None:
        return None
    return {key: base64.b64decode(value).decode() for key, value in (found.get("data") or {}).items()}


def write(name: str, values: Mapping[str, str], *, is_new: bool) -> None:
    """Creates a Secret, or sets those keys of one."""
    if is_new:
        labels = {"app.kubernetes.io/part-of": "tessera"}
        metadata = {"name": name, "labels": labels}
        _ask("POST", "", {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values})
    else:
        _ask("PATCH", f"/{name}", {"stringData": values})


def _ask(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any] | None:
    """The API server's answer about the Secrets of this namespace; None for 404. Raises HTTPError for others."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT_HTTPS"]
    host = f"[{host}]" if ":" in host else host
    url = f"https://{host}:{port}/api/v1/namespaces/{(ACCOUNT / 'namespace').read_text()}/secrets{path}"
    content = "application/merge-patch+json" if method == "PATCH" else "application/json"
    headers = {"Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}", "Content-Type": content}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    trusted = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS, context=trusted) as answer:  # noqa: S310  # nosec B310
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise


if __name__ == "__main__":
    if sys.argv[1:] == ["print"]:
        print(json.dumps(completed({}), indent=2))
    else:
        main()
