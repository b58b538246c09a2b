"""Examples for the OpenAPI document."""

from drf_spectacular.utils import OpenApiExample

from users_ms.accounts.examples import USER

LINES = OpenApiExample(
    "two users",
    value='{"external_id": "f:1", "email": "ada@example.org", "email_verified": true, "password_hash": "$2b$12$..."}\n'
    '{"external_id": "f:2", "email": "grace@example.org", "name": "Grace", "surname": "Hopper"}\n',
    request_only=True,
    media_type="application/x-ndjson",
)
CSV_LINES = OpenApiExample(
    "a user",
    value="external_id,email,email_verified,name\nf:1,ada@example.org,true,Ada\n",
    request_only=True,
    media_type="text/csv",
)
REPORT = OpenApiExample(
    "a report",
    value={
        "accepted": 1,
        "unchanged": 0,
        "refused": 1,
        "refusals": [
            {
                "line": 2,
                "external_id": "f:2",
                "field": "email",
                "code": "email_taken",
                "detail": "Another user has this address.",
            },
        ],
    },
    response_only=True,
    status_codes=["200"],
)
EXPORT = OpenApiExample(
    "an export",
    value={
        "exported_at": "2026-01-31T12:00:00Z",
        "user": USER.value,
        "external_id": None,
        "former_addresses": [{"email": "ada@example.net", "reserved_until": "2026-02-03T12:00:00Z"}],
        "memberships": [{"organisation_id": 1, "slug": "acme", "name": "Acme Corporation", "roles": ["member"]}],
        "provisioned": None,
    },
    response_only=True,
    status_codes=["200"],
)
