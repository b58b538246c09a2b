"""The gateway forwards public routes and nothing else."""

import http.client
from urllib.parse import urlsplit

import pytest
import requests


def raw(url, path):
    """Sends a request with its path unchanged, which requests would normalize."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.putrequest("GET", path, skip_accept_encoding=True)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


@pytest.mark.parametrize("service", ["users-ms", "auth-ms", "notification-ms"])
@pytest.mark.parametrize("route", ["healthcheck", "ready", "openapi.json", "docs"])
def test_public_routes_are_forwarded(stack, service, route):
    assert requests.get(f"{stack.gateway}/{service}/{route}", timeout=60).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/users-ms/internal/credentials?email=ada@example.org",
        "/users-ms/%69nternal/credentials?email=ada@example.org",
        "/users-ms//internal/credentials",
        "/users-ms/./internal/credentials",
        "/users-ms/x/../internal/credentials",
        "/users-ms/INTERNAL/credentials",
        "/users-ms/load-test",
        "/users-ms/load%2Dtest?n=1",
        "/users-ms/metrics",
        "/nothing",
    ],
)
def test_private_routes_are_not_found_at_the_gateway(stack, path):
    answer, _ = raw(stack.gateway, path)

    assert answer.status == 404
    assert answer.headers["Content-Type"].startswith("application/problem+json")


def test_the_load_test_route_answers_only_without_the_gateway(stack):
    assert requests.get(f"{stack.users}/users-ms/load-test?n=10", timeout=60).json()["fibonacci"] == 55


def test_one_swagger_ui_for_all_services(stack):
    page = requests.get(f"{stack.gateway}/docs", timeout=60)

    assert page.status_code == 200
    assert "swagger-ui" in page.text
    asset = "/users-ms/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
    assert requests.get(f"{stack.gateway}{asset}", timeout=60).status_code == 200


@pytest.mark.parametrize("name", ["openid-configuration", "oauth-authorization-server"])
def test_the_discovery_document_is_at_the_root(stack, name):
    document = requests.get(f"{stack.gateway}/.well-known/{name}", timeout=60).json()

    assert requests.get(document["jwks_uri"], timeout=60).json()["keys"]
    assert document["token_endpoint"].startswith(document["issuer"])
    assert requests.get(f"{stack.gateway}/.well-known/{name}/x", timeout=60).status_code == 404


@pytest.mark.parametrize("length", [70_000, 200_000])
def test_a_body_over_64_kib_is_rejected(stack, length):
    answer = requests.post(f"{stack.gateway}/users-ms/users", data=b" " * length, timeout=60)

    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"


LINKS = [
    "/docs",
    "/users-ms/openapi.yaml",
    "/auth-ms/openapi.yaml",
    "/notification-ms/openapi.yaml",
    "/auth-ms/.well-known/jwks.json",
    "/users-ms/ready",
    "/auth-ms/ready",
    "/notification-ms/ready",
]


@pytest.mark.parametrize("link", LINKS)
def test_the_console_links_to_developer_pages_without_scripts_too(stack, link):
    assert f'href="{link}"' in requests.get(stack.gateway, timeout=60).text
    assert requests.get(f"{stack.gateway}{link}", timeout=60).status_code == 200


@pytest.mark.parametrize("path", ["/", "/console/app.js", "/console/console.css", "/console/icon.svg"])
def test_the_console_has_a_strict_content_security_policy(stack, path):
    answer = requests.get(f"{stack.gateway}{path}", timeout=60)

    policy = answer.headers["Content-Security-Policy"]
    assert answer.status_code == 200
    assert "unsafe" not in policy
    for rule in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "trusted-types 'none'"):
        assert rule in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(("path", "status"), [("/healthcheck", 200), ("/nothing", 404), ("/users-ms/healthcheck", 200)])
def test_other_answers_cannot_be_used_as_a_page(stack, path, status):
    answer = requests.get(f"{stack.gateway}{path}", timeout=60)

    assert answer.status_code == status
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; base-uri 'none'; ")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/console/", "/console/index.html", "/console/nothing.js", "/console/../Caddyfile"])
def test_the_gateway_serves_only_the_consoles_files(stack, path):
    assert raw(stack.gateway, path)[0].status == 404
