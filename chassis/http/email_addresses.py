"""Email addresses: the form that is shown and mailed to, and the one canonical form by which they are compared."""

import unicodedata
from dataclasses import dataclass

import email_validator

MAXIMUM_LENGTH = 254  # RFC 5321, §4.5.3.1.3
MAXIMUM_CANONICAL_LENGTH = 2 * MAXIMUM_LENGTH
_LOOK_ALIKES = "It has characters that look like others, or that nobody sees. Type it in plain letters."


class InvalidAddress(ValueError):
    """A text that is not a deliverable email address; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Address:
    """An address as its owner writes it (`display`), and the form that all its spellings share (`canonical`)."""

    display: str
    canonical: str


def parse(text: str) -> Address:
    """The address that `text` is. Raises InvalidAddress.

    The part before the `@` is ASCII (RFC 5321; not every mail server on the way offers SMTPUTF8), so that no two
    letters of it look alike. A domain may be international (IDNA 2008 by UTS #46), but only as it would be shown:
    nothing that a mapping would replace or drop. Upper and lower case are the same address in both parts.
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
    """The canonical form of `text` for looking it up and for counting; of what is not an address one that none has.

    Never raises. A text that `parse` rejects gets a form that no valid address shares, so that a look-alike neither
    finds an account nor uses up its limits.
    """
    try:
        return parse(text.strip()).canonical
    except InvalidAddress:
        return f"invalid:{unicodedata.normalize('NFC', text.strip()).lower()}"[:MAXIMUM_CANONICAL_LENGTH]
