"""The client's address comes from trusted proxies, never from what the client itself sent."""

import pytest
from django.test import RequestFactory

from chassis.http import client_address

PROXY, OUTER_PROXY, CLIENT = "10.0.0.9", "10.0.1.1", "203.0.113.7"


def address(settings, *, remote, forwarded=None, trusted="10.0.0.0/16, 2001:db8:1::/48"):
    settings.TRUSTED_PROXIES = trusted.split(", ") if trusted else []
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return client_address.client_of(RequestFactory().get("/", headers=headers, REMOTE_ADDR=remote)).address


@pytest.mark.parametrize(
    ("remote", "forwarded", "expected"),
    [
        (CLIENT, None, CLIENT),
        (CLIENT, "1.2.3.4", CLIENT),  # no proxy: the client sent the header
        (PROXY, CLIENT, CLIENT),
        (PROXY, f"1.2.3.4, {CLIENT}", CLIENT),  # the client sent the first one
        (PROXY, f"{CLIENT}, {OUTER_PROXY}", CLIENT),
        (PROXY, f"1.2.3.4, {CLIENT}, {OUTER_PROXY}", CLIENT),
        (PROXY, None, PROXY),
        (PROXY, "", PROXY),
        (PROXY, "nonsense", PROXY),
        (PROXY, f"{CLIENT}, nonsense", PROXY),
        (PROXY, "127.0.0.1; DROP TABLE", PROXY),
        (PROXY, OUTER_PROXY, OUTER_PROXY),
        (f"::ffff:{PROXY}", CLIENT, CLIENT),
        ("2001:db8:1::5", "2001:db8:2::7", "2001:db8:2::7"),
        ("", None, None),
    ],
)
def test_the_address_is_the_last_one_that_is_no_trusted_proxy(settings, remote, forwarded, expected):
    assert address(settings, remote=remote, forwarded=forwarded) == expected


def test_without_trusted_proxies_the_header_is_ignored(settings):
    assert address(settings, remote=PROXY, forwarded=CLIENT, trusted="") == PROXY


def test_a_proxy_may_be_a_host_name(settings):
    assert address(settings, remote="127.0.0.1", forwarded=CLIENT, trusted="localhost") == CLIENT
    assert address(settings, remote=PROXY, forwarded=CLIENT, trusted="localhost") == PROXY


def test_an_unresolvable_name_trusts_no_address(settings):
    assert address(settings, remote=PROXY, forwarded=CLIENT, trusted="no-such-proxy.invalid") == PROXY


@pytest.mark.parametrize(
    ("remote", "network"),
    [(CLIENT, CLIENT), ("2001:db8:2:3:4:5:6:7", "2001:db8:2:3::/64"), ("", "none")],
)
def test_rate_limits_treat_an_ipv6_network_as_one_client(remote, network):
    assert client_address.client_of(RequestFactory().get("/", REMOTE_ADDR=remote)).network == network
