"""Email addresses: the form to display and send to, and the canonical form for comparing them."""

import unicodedata
from dataclasses import dataclass

import email_validator

MAXIMUM_LENGTH = 254  # RFC 5321, §4.5.3.1.3
MAXIMUM_CANONICAL_LENGTH = 2 * MAXIMUM_LENGTH
_LOOK_ALIKES = "It contains look-alike or invisible characters. Type it in plain letters."


class InvalidAddress(ValueError):
    """The text is not a deliverable email address; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Address:
    """An address as its owner writes it (`display`), and the form shared by all its spellings (`canonical`)."""

    display: str
    canonical: str


def parse(text: str) -> Address:
    """The address in `text`. Raises InvalidAddress.

    The local part must be ASCII (RFC 5321), which excludes look-alike letters; not every mail server supports
    SMTPUTF8. The domain may be internationalized (IDNA 2008 by UTS #46), but must contain nothing that the UTS #46
    mapping would replace or drop. Case is ignored in both parts.
    """
    if len(text) > MAXIMUM_LENGTH:
        raise InvalidAddress(f"It has more than {MAXIMUM_LENGTH} characters.")
    if any(unicodedata.normalize("NFKC", character) != character for character in text):
        raise InvalidAddress(_LOOK_ALIKES)
    try:
        found = email_validator.validate_email(text, allow_smtputf8=False, check_deliverability=False)
    except email_validator.EmailNotValidError as error:
        raise InvalidAddress(str(error)) from error
    domain = text.rpartition("@")[2]
    if found.domain != unicodedata.normalize("NFC", domain).lower() and found.ascii_domain != domain.lower():
        raise InvalidAddress(_LOOK_ALIKES)
    return Address(display=found.normalized, canonical=f"{found.local_part}@{found.ascii_domain}".lower())


def canonical(text: str) -> str:
    """The canonical form of `text`, for look-ups and rate limits. Never raises.

    Text that `parse` rejects gets a form that no valid address has, so that a look-alike neither finds an account nor
    uses up its limits.
    """
    try:
        return parse(text.strip()).canonical
    except InvalidAddress:
        return f"invalid:{unicodedata.normalize('NFC', text.strip()).lower()}"[:MAXIMUM_CANONICAL_LENGTH]


def masked(text: str) -> str:
    """The first letter and the domain: enough to trace an attack, too little to reveal a password typed in place of an
    address, and no address of somebody who may have no account."""
    name, at, domain = text.partition("@")
    return f"{name[:1]}***{at}{domain}" if at else f"{name[:1]}***" if name else ""
