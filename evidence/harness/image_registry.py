"""Debian's docker-registry with TLS and a login, and what it holds."""

import contextlib
import ipaddress
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bcrypt
import requests
from cryptography import x509

from evidence.harness.background import running
from evidence.harness.certificates import Authority
from evidence.harness.waiting import eventually
from local import ports

USER, PASSWORD = "tessera", "a password of the tests"
INDEX = "application/vnd.oci.image.index.v1+json"
KINDS = f"{INDEX}, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"


class Registry:
    """A registry on a port of 127.0.0.1; `authority` signs its certificate."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.host = f"127.0.0.1:{ports.free()['GATEWAY_PORT']}"
        self.file = folder / "config.yml"
        certificate = str(self.authority.certificate(x509.IPAddress(ipaddress.ip_address("127.0.0.1"))))
        logins = folder / "htpasswd"
        logins.write_text(f"{USER}:{bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(5)).decode()}\n")
        configuration = {
            "version": "0.1",
            "storage": {"filesystem": {"rootdirectory": str(folder / "images")}},
            "auth": {"htpasswd": {"realm": "tests", "path": str(logins)}},
            "http": {"addr": self.host, "tls": {"certificate": certificate, "key": certificate}},
        }
        self.file.write_text(json.dumps(configuration))  # JSON is YAML

    def get(self, path: str, **options: Any) -> requests.Response:
        """An answer over TLS that the authority's certificate proves."""
        return requests.get(f"https://{self.host}/v2/{path}", verify=str(self.authority.file), timeout=60, **options)

    def answers(self) -> bool:
        """True as soon as it listens."""
        with contextlib.suppress(requests.ConnectionError):
            return self.get("").status_code == 401
        return False

    def manifest(self, image: str, reference: str) -> requests.Response:
        """The manifest or index of a tag or digest, with its digest in the header `Docker-Content-Digest`."""
        headers = {"Accept": KINDS}
        answer = self.get(f"{image}/manifests/{reference}", auth=(USER, PASSWORD), headers=headers)
        answer.raise_for_status()
        return answer

    def platforms(self, image: str, tag: str) -> dict[str, str]:
        """The digest of the image for each platform, such as `linux/arm64`."""
        entries = self.manifest(image, tag).json()["manifests"]
        names = {each["digest"]: "{os}/{architecture}".format(**each["platform"]) for each in entries}
        return {name: digest for digest, name in names.items() if name != "unknown/unknown"}

    def attestations(self, image: str, tag: str, platform: str) -> dict[str, dict[str, Any]]:
        """What the builder states about the image for a platform (in-toto), by the address of its format.

        BuildKit stores it as a manifest of the same index that refers to the image's digest, with a layer for each.
        """
        described = self.platforms(image, tag)[platform]
        [found] = [
            entry["digest"]
            for entry in self.manifest(image, tag).json()["manifests"]
            if entry.get("annotations", {}).get("vnd.docker.reference.digest") == described
        ]
        layers = self.manifest(image, found).json()["layers"]
        return {layer["annotations"]["in-toto.io/predicate-type"]: self.blob(image, layer) for layer in layers}

    def configuration(self, image: str, tag: str, platform: str) -> dict[str, Any]:
        """The image's configuration: labels, environment, history."""
        manifest = self.manifest(image, self.platforms(image, tag)[platform]).json()
        return self.blob(image, manifest["config"])

    def blob(self, image: str, descriptor: dict[str, Any]) -> dict[str, Any]:
        """The JSON that a descriptor refers to."""
        answer = self.get(f"{image}/blobs/{descriptor['digest']}", auth=(USER, PASSWORD))
        answer.raise_for_status()
        return dict(answer.json())


@contextlib.contextmanager
def image_registry(folder: Path) -> Iterator[Registry]:
    """Starts a registry, and stops it when the block ends."""
    registry = Registry(folder)
    with running(["docker-registry", "serve", str(registry.file)], log=folder / "registry.log"):
        eventually(registry.answers)
        yield registry
