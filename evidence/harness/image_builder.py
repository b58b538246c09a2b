"""A builder of images for several platforms with attestations: BuildKit in a container, or `buildkitd` on this machine.

The second is for a machine that reaches no registry with BuildKit's image. It keeps its cache in `.local/buildkit`,
because what is built for another processor is emulated, which takes many minutes.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from evidence.harness.background import running
from evidence.harness.image_registry import Registry
from evidence.harness.typed_commands import Clone
from evidence.harness.waiting import eventually
from local.paths import ROOT

NAME = "tessera-registry"
MACHINES = Path("/etc/buildkit/buildkitd.toml")  # this machine's settings for BuildKit, such as mirrors of Docker Hub
CACHE = ROOT / ".local" / "buildkit"
PLATFORM = "linux/arm64"


@contextmanager
def image_builder(clone: Clone, registry: Registry, folder: Path) -> Iterator[str]:
    """Makes a builder that trusts the registry the clone's current one; yields why there is none, or "" with one."""
    settings = folder / "buildkitd.toml"
    text = MACHINES.read_text() if MACHINES.exists() else ""
    trust = f'http = false\nca = ["{registry.authority.file}"]'  # for 127.0.0.1 it would take plain HTTP
    settings.write_text(f'{text}\n[registry."{registry.host}"]\n{trust}\n')
    with ExitStack() as stack:
        reason = _create(clone, f"--driver docker-container --driver-opt network=host --config {settings}")
        if reason and os.geteuid() == 0 and shutil.which("buildkitd"):
            address = stack.enter_context(_daemon(folder, settings))
            reason = _create(clone, f"--driver remote {address}")
        if not reason:
            platforms = clone.typed("docker buildx inspect").stdout
            reason = "" if PLATFORM in platforms else f"the builder runs no programs for {PLATFORM}"
        if reason:
            clone.typed("docker buildx use default")
        try:
            yield reason
        finally:
            _remove(clone)


def _create(clone: Clone, how: str) -> str:
    """The end of the error message, or an empty string."""
    _remove(clone)
    made = clone.typed(f"docker buildx create --use --name {NAME} --bootstrap {how}", check=False)
    return made.stdout.strip().splitlines()[-1] if made.returncode else ""


def _remove(clone: Clone) -> None:
    clone.typed(f"docker buildx rm --force {NAME}", check=False)


@contextmanager
def _daemon(folder: Path, settings: Path) -> Iterator[str]:
    """Starts BuildKit, and stops it when the block ends."""
    socket = folder / "buildkitd.sock"
    address = f"unix://{socket}"
    command = ["buildkitd", "--config", str(settings), "--root", str(CACHE), "--addr", address]
    with running(command, log=folder / "buildkitd.log") as process:
        eventually(lambda: socket.exists() or process.poll() is not None)
        yield address
