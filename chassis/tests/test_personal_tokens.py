"""The format of personal access tokens, by which secret scanners find them."""

import zlib

import pytest

from chassis.security import personal_tokens

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def test_a_token_ends_in_the_checksum_of_what_stands_before():
    for _ in range(200):
        token = personal_tokens.make()

        checksum = 0
        for digit in token[-6:]:
            checksum = checksum * 62 + DIGITS.index(digit)
        assert checksum == zlib.crc32(token[:-6].encode())
        assert personal_tokens.is_well_formed(token)
        assert len(token) == 57


def test_tokens_have_256_random_bits(monkeypatch):
    asked = []
    monkeypatch.setattr("secrets.randbits", lambda bits: asked.append(bits) or 2**bits - 1)

    assert len(personal_tokens.make()) == 57
    assert asked == [256]


@pytest.mark.parametrize("change", [lambda text: text[:-1], lambda text: text + "0", lambda text: text.lower() + "\n"])
def test_other_text_is_no_token(change):
    assert not personal_tokens.is_well_formed(change(personal_tokens.make()))
