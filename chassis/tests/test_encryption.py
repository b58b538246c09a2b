import pytest
from django.core.exceptions import ImproperlyConfigured

from chassis.security import encryption


def test_what_is_sealed_to_a_service_only_that_service_opens():
    private, public = encryption.generate_key_pair()
    others_private, _ = encryption.generate_key_pair()
    sealed = encryption.seal_to("a token", public_key=public, info="token")

    assert "a token" not in sealed
    assert sealed != encryption.seal_to("a token", public_key=public, info="token")
    assert encryption.open_sealed(sealed, private_key=private, info="token") == "a token"
    with pytest.raises(ValueError, match="another key"):
        encryption.open_sealed(sealed, private_key=others_private, info="token")
    with pytest.raises(ValueError, match="something else"):
        encryption.open_sealed(sealed, private_key=private, info="code")


@pytest.mark.parametrize("sealed", ["", "AAAA", "not base64 ###", "A" * 200])
def test_what_was_not_sealed_is_rejected(sealed):
    private, _ = encryption.generate_key_pair()

    with pytest.raises(ValueError, match="another key"):
        encryption.open_sealed(sealed, private_key=private, info="token")


@pytest.mark.parametrize("key", ["", "AAAA", "###"])
def test_a_key_that_is_none_names_its_setting(key):
    with pytest.raises(ImproperlyConfigured, match="SEALING_PUBLIC_KEY"):
        encryption.seal_to("a token", public_key=key, info="token")
    with pytest.raises(ImproperlyConfigured, match="SEALING_PRIVATE_KEY"):
        encryption.open_sealed("AAAA", private_key=key, info="token")
