import pytest
from django.core.exceptions import ImproperlyConfigured

from chassis.security import encryption


def test_only_the_holder_of_the_private_key_can_decrypt():
    private, public = encryption.generate_key_pair()
    others_private, _ = encryption.generate_key_pair()
    encrypted = encryption.encrypt_with_public_key("a token", public_key=public, info="token")

    assert "a token" not in encrypted
    assert encrypted != encryption.encrypt_with_public_key("a token", public_key=public, info="token")
    assert encryption.decrypt_with_private_key(encrypted, private_key=private, info="token") == "a token"
    with pytest.raises(ValueError, match="another key"):
        encryption.decrypt_with_private_key(encrypted, private_key=others_private, info="token")
    with pytest.raises(ValueError, match="another purpose"):
        encryption.decrypt_with_private_key(encrypted, private_key=private, info="code")


@pytest.mark.parametrize("encrypted", ["", "AAAA", "not base64 ###", "A" * 200])
def test_other_texts_are_rejected(encrypted):
    private, _ = encryption.generate_key_pair()

    with pytest.raises(ValueError, match="another key"):
        encryption.decrypt_with_private_key(encrypted, private_key=private, info="token")


@pytest.mark.parametrize("key", ["", "AAAA", "###"])
def test_the_error_for_a_malformed_key_names_its_environment_variable(key):
    with pytest.raises(ImproperlyConfigured, match="SEALING_PUBLIC_KEY"):
        encryption.encrypt_with_public_key("a token", public_key=key, info="token")
    with pytest.raises(ImproperlyConfigured, match="SEALING_PRIVATE_KEY"):
        encryption.decrypt_with_private_key("AAAA", private_key=key, info="token")
