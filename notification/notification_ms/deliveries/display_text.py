"""How user input is shown in an email: as text that no mail client turns into a link."""

import re
import unicodedata

MAXIMUM_NAME_LENGTH = 60
MAXIMUM_LENGTH = 200
_DOTS = re.compile(r"(?<=\w)[.\u3002\uff0e\uff61](?=[^\W\d])")  # before a letter, as in a domain; not as in 130.0
_SCHEMES = re.compile(r":(?=//)|(?<=\bmailto):|(?<=\btel):|(?<=\bsms):|(?<=\bjavascript):", re.IGNORECASE)
_TELEPHONE = re.compile(r"\+?\d(?:[\s().\-/]*\d){5,}")
_JOINERS = "\u200c\u200d"  # used in some names


def defanged(text: str, *, maximum: int = MAXIMUM_LENGTH) -> str:
    """`text` in one line, with `[.]`, `[:]` and `[@]` where a mail client would see a link.

    Invisible characters are removed: control characters, and those that change the direction of writing.
    """
    line = " ".join(text.split())
    visible = "".join(each for each in line if unicodedata.category(each)[0] != "C" or each in _JOINERS)[:maximum]
    return _SCHEMES.sub("[:]", _DOTS.sub("[.]", visible)).replace("@", "[@]")


def name(text: str) -> str:
    """A name, in which no telephone number is left either."""
    return _TELEPHONE.sub("...", defanged(text, maximum=MAXIMUM_NAME_LENGTH))


def masked(address: str) -> str:
    """`a***[@]example[.]org`: enough to recognise one's own address."""
    local, _, domain = address.rpartition("@")
    return defanged(f"{local[:1]}***@{domain}") if local else ""
