"""The security headers of every answer. The middleware is in `chassis`, so all services have them."""

import re

import pytest


@pytest.fixture(
    params=[
        ("get", "/users-ms/healthcheck", 200),
        ("get", "/users-ms/users/me", 401),
        ("get", "/users-ms/nothing", 404),
        ("delete", "/users-ms/healthcheck", 405),
        ("get", "/users-ms/openapi.json", 200),
        ("get", "/users-ms/docs", 200),
    ],
    ids=lambda each: f"{each[0]} {each[1]}",
)
def answer(request, client):
    method, path, status = request.param
    answer = getattr(client, method)(path, HTTP_ORIGIN="https://evil.example")
    assert answer.status_code == status
    return answer


def test_no_answer_can_be_sniffed_or_framed(answer):
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Content-Type"].partition(";")[0] in (
        "application/json",
        "application/problem+json",
        "application/vnd.oai.openapi+json",
        "text/html",
    )


def test_no_answer_can_load_or_run_injected_content(answer):
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "base-uri 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "script-src 'unsafe" not in policy and "'unsafe-eval'" not in policy


def test_the_swagger_page_has_no_inline_script(client):
    page = client.get("/users-ms/docs")

    scripts = re.findall(r"<script(.*?)>(.*?)</script>", page.content.decode(), re.DOTALL)
    assert len(scripts) == 3
    assert all("src=" in attributes and not text.strip() for attributes, text in scripts)
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    assert client.get("/users-ms/docs?script=").headers["Content-Type"].startswith("application/javascript")


def test_internal_routes_are_documented_only_on_a_private_path(client):
    public = client.get("/users-ms/openapi.json").json()
    internal = client.get("/users-ms/internal/openapi.json").json()

    assert not [path for path in public["paths"] if "/internal/" in path or "load-test" in path]
    assert "serviceToken" not in public["components"]["securitySchemes"]
    assert "CredentialsOutput" not in public["components"]["schemas"]
    assert "/users-ms/internal/credentials" in internal["paths"]
    assert set(public["paths"]) < set(internal["paths"])


def test_no_answer_allows_another_origin(answer):
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_a_preflight_allows_nothing(client):
    asked = {"HTTP_ORIGIN": "https://evil.example", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "PATCH"}

    answer = client.options("/users-ms/users/1", **asked)

    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_trace_is_rejected(client):
    answer = client.trace("/users-ms/healthcheck", HTTP_AUTHORIZATION="Bearer x", secure=False)

    assert answer.status_code == 405
    assert b"Bearer" not in answer.content
