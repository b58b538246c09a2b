"""The client's address: what a proxy that is trusted says, and nothing that the client itself wrote."""

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
        (CLIENT, "1.2.3.4", CLIENT),  # not through a proxy: the header is the client's own
        (PROXY, CLIENT, CLIENT),
        (PROXY, f"1.2.3.4, {CLIENT}", CLIENT),  # the client wrote the first one
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
def test_the_address_is_the_last_that_no_trusted_proxy_has(settings, remote, forwarded, expected):
    assert address(settings, remote=remote, forwarded=forwarded) == expected


def test_without_trusted_proxies_the_header_means_nothing(settings):
    assert address(settings, remote=PROXY, forwarded=CLIENT, trusted="") == PROXY


def test_a_proxy_may_be_named(settings):
    assert address(settings, remote="127.0.0.1", forwarded=CLIENT, trusted="localhost") == CLIENT
    assert address(settings, remote=PROXY, forwarded=CLIENT, trusted="localhost") == PROXY


def test_a_name_that_nobody_has_trusts_nobody(settings):
    assert address(settings, remote=PROXY, forwarded=CLIENT, trusted="no-such-proxy.invalid") == PROXY


@pytest.mark.parametrize(
    ("remote", "network"),
    [(CLIENT, CLIENT), ("2001:db8:2:3:4:5:6:7", "2001:db8:2:3::/64"), ("", "none")],
)
def test_limits_count_a_whole_ipv6_network_as_one_client(remote, network):
    assert client_address.client_of(RequestFactory().get("/", REMOTE_ADDR=remote)).network == network
