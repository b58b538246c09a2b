"""The published OpenAPI documents are complete: authorization, errors, and examples."""

from pathlib import Path

import pytest
import requests
import yaml

SERVICES = ["users", "auth", "notification"]


@pytest.fixture(params=SERVICES)
def document(request, stack):
    return requests.get(f"{getattr(stack, request.param)}/{request.param}-ms/internal/openapi.json", timeout=60).json()


def schemas_of_json_requests(document):
    for path, each in document["paths"].items():
        for operation in each.values():
            content = operation.get("requestBody", {}).get("content", {})
            if "/internal/" not in path and list(content) == ["application/json"]:
                name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
                yield operation["operationId"], document["components"]["schemas"][name]


def operations(document):
    return [operation for path in document["paths"].values() for operation in path.values()]


def follows_oauth(operation, status):
    """True for errors whose form RFC 6749, §5.2, prescribes."""
    return operation["operationId"].startswith("oauth_") and status not in ("404", "413")


def content_type_of_errors(operation, status):
    """Of SCIM, RFC 7644, §3.12, prescribes it."""
    if operation["tags"] == ["SCIM"]:
        return "application/scim+json"
    return "application/json" if follows_oauth(operation, status) else "application/problem+json"


def test_every_operation_says_who_may_call_it(document):
    schemes = document["components"]["securitySchemes"]
    for operation in operations(document):
        assert all(set(way) <= set(schemes) for way in operation["security"]), operation["operationId"]


def test_every_operation_has_a_unique_id_and_a_description(document):
    names = [operation["operationId"] for operation in operations(document)]
    assert len(set(names)) == len(names)
    assert all(operation["description"] for operation in operations(document))


def test_every_error_is_a_problem_document(document):
    for operation in operations(document):
        errors = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        assert "503" in errors
        assert {"401", "403"} <= set(errors) or not operation["security"], operation["operationId"]
        for status, answer in errors.items():
            [(content_type, content)] = answer["content"].items()
            assert content_type == content_type_of_errors(operation, status), (operation["operationId"], status)
            assert content["examples"], (operation["operationId"], status)


def test_every_body_has_an_example(document):
    for operation in operations(document):
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        bodies += [answer for status, answer in operation["responses"].items() if status < "300"]
        for body in bodies:
            for content in body.get("content", {}).values():
                assert content.get("examples"), operation["operationId"]


def test_every_operation_with_a_body_documents_400_413_and_415(document):
    for operation in operations(document):
        if "requestBody" in operation:
            expected = {"400", "413"} if operation["operationId"].startswith("oauth_") else {"400", "413", "415"}
            assert expected <= set(operation["responses"]), operation["operationId"]


def test_every_list_says_how_it_is_paged(document):
    lists = [operation for operation in operations(document) if "/Paginated" in str(operation["responses"].get("200"))]
    assert lists
    for operation in lists:
        names = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"}
        assert {"limit", "cursor"} <= names, operation["operationId"]


@pytest.mark.parametrize("service", SERVICES)
def test_public_documents_have_no_internal_route(stack, service):
    published = requests.get(f"{stack.gateway}/{service}-ms/openapi.json", timeout=60).json()
    whole = requests.get(f"{getattr(stack, service)}/{service}-ms/internal/openapi.json", timeout=60).json()
    in_repository = yaml.safe_load(Path(f"docs/openapi/{service}-ms.yaml").read_text())

    internal = {path for path in whole["paths"] if "/internal/" in path or path.endswith("/load-test")}

    assert set(whole["paths"]) - set(published["paths"]) == internal
    assert set(in_repository["paths"]) == set(published["paths"])
    assert "/internal/" not in str(published)


def test_json_requests_have_no_other_fields_and_answers_may_have(document):
    for operation, schema in schemas_of_json_requests(document):
        is_closed = schema.get("additionalProperties") is False
        assert is_closed or schema.get("x-ignores-unknown-fields"), operation
    answers = [schema for name, schema in document["components"]["schemas"].items() if name.endswith("Output")]
    assert answers
    assert not any(schema.get("additionalProperties") is False for schema in answers)
