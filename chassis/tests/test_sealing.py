import pytest
from django.core.exceptions import ImproperlyConfigured

from chassis import sealing


def test_what_is_sealed_to_a_service_only_that_service_opens():
    private, public = sealing.generate_key_pair()
    others_private, _ = sealing.generate_key_pair()
    sealed = sealing.seal_to("a token", public_key=public, info="token")

    assert "a token" not in sealed
    assert sealed != sealing.seal_to("a token", public_key=public, info="token")
    assert sealing.open_sealed(sealed, private_key=private, info="token") == "a token"
    with pytest.raises(ValueError, match="another key"):
        sealing.open_sealed(sealed, private_key=others_private, info="token")
    with pytest.raises(ValueError, match="something else"):
        sealing.open_sealed(sealed, private_key=private, info="code")


@pytest.mark.parametrize("sealed", ["", "AAAA", "not base64 ###", "A" * 200])
def test_what_was_not_sealed_is_rejected(sealed):
    private, _ = sealing.generate_key_pair()

    with pytest.raises(ValueError, match="another key"):
        sealing.open_sealed(sealed, private_key=private, info="token")


@pytest.mark.parametrize("key", ["", "AAAA", "###"])
def test_a_key_that_is_none_names_its_setting(key):
    with pytest.raises(ImproperlyConfigured, match="SEALING_PUBLIC_KEY"):
        sealing.seal_to("a token", public_key=key, info="token")
    with pytest.raises(ImproperlyConfigured, match="SEALING_PRIVATE_KEY"):
        sealing.open_sealed("AAAA", private_key=key, info="token")
