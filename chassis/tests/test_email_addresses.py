import pytest

from chassis.http import email_addresses


@pytest.mark.parametrize(
    ("text", "display", "canonical"),
    [
        ("Ada.Lovelace@Example.ORG", "Ada.Lovelace@example.org", "ada.lovelace@example.org"),
        ("ada+news@example.org", "ada+news@example.org", "ada+news@example.org"),
        ("ada@bücher.example", "ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@xn--bcher-kva.example", "ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@BU\u0308CHER.example", "ada@bücher.example", "ada@xn--bcher-kva.example"),
    ],
)
def test_all_spellings_of_an_address_have_one_canonical_form(text, display, canonical):
    assert email_addresses.parse(text) == email_addresses.Address(display=display, canonical=canonical)
    assert email_addresses.canonical(f" {text} ") == canonical


@pytest.mark.parametrize(
    "text",
    [
        "v\u0130ctim@example.org",  # capital I with dot
        "v\u0131ctim@example.org",  # dotless i
        "vi\u017ftim@example.org",  # long s
        "\u212aim@example.org",  # Kelvin sign
        "vic\u00adtim@example.org",  # soft hyphen
        "victim@exam\u00adple.org",
        "victim@\uff45xample.org",  # full width
        "victim@example\u3002org",  # ideographic full stop
        "victim@\u212aim.org",
        "victim@exam\u200dple.org",  # zero width joiner
        "victim@exam\ufe0fple.org",  # variation selector
        "victim@localhost",
        "victim@host.local",
        "victim@[127.0.0.1]",
        '"victim"@example.org',
        "victim",
        "victim@@example.org",
        "victim@example.org\n",
        "Victim <victim@example.org>",
        "v" * 250 + "@example.org",
        "",
    ],
)
def test_look_alikes_and_undeliverable_addresses_are_rejected_and_match_no_account(text):
    with pytest.raises(email_addresses.InvalidAddress):
        email_addresses.parse(text)

    assert email_addresses.canonical(text) not in {"victim@example.org", "kim@example.org"} or text.strip() != text
    assert email_addresses.canonical("\u212aim@example.org") != email_addresses.canonical("kim@example.org")
