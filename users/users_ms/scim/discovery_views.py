"""What of SCIM there is (RFC 7644, §4), and what is not."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from users_ms.scim import examples, schemas
from users_ms.scim.base_views import JSON, TAGS, ScimView, errors
from users_ms.scim.problems import ScimError, not_found


class ServiceProviderConfig(ScimView):
    @extend_schema(
        operation_id="get_scim_service_provider_config",
        responses={**JSON, **errors()},
        examples=[examples.SERVICE_PROVIDER_CONFIG],
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        """What of SCIM is supported."""
        return Response(schemas.SERVICE_PROVIDER_CONFIG)


class _Discovery(ScimView):
    known: dict[str, Any]

    def _all(self) -> Response:
        """RFC 7644, §4: a filter is refused here."""
        if "filter" in self.request.query_params:
            raise ScimError("This cannot be filtered.", status=403)
        return Response(schemas.list_response(list(self.known.values())))

    def _one(self, name: str) -> Response:
        found = next((each for key, each in self.known.items() if key.lower() == name.lower()), None)
        if found is None:
            raise not_found()
        return Response(found)


class ResourceTypeCollection(_Discovery):
    known = schemas.RESOURCE_TYPES

    @extend_schema(
        operation_id="list_scim_resource_types",
        responses={**JSON, **errors()},
        examples=[examples.RESOURCE_TYPES],
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        """The kinds of resources."""
        return self._all()


class ResourceTypeDetail(_Discovery):
    known = schemas.RESOURCE_TYPES

    @extend_schema(
        operation_id="get_scim_resource_type",
        responses={**JSON, **errors(404)},
        examples=[examples.RESOURCE_TYPE],
        tags=TAGS,
    )
    def get(self, request: Request, name: str) -> Response:
        """One kind of resources."""
        return self._one(name)


class SchemaCollection(_Discovery):
    known = schemas.SCHEMAS

    @extend_schema(
        operation_id="list_scim_schemas",
        responses={**JSON, **errors()},
        examples=[examples.SCHEMAS],
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        """The attributes that are supported."""
        return self._all()


class SchemaDetail(_Discovery):
    known = schemas.SCHEMAS

    @extend_schema(
        operation_id="get_scim_schema",
        responses={**JSON, **errors(404)},
        examples=[examples.SCHEMA],
        tags=TAGS,
    )
    def get(self, request: Request, name: str) -> Response:
        """One schema, by its URN."""
        return self._one(name)


@extend_schema(exclude=True)
class Elsewhere(ScimView):
    """All other paths: an error as SCIM has it. Bulk, `/Me`, and `.search` over all resources are not there."""

    default_response_headers: ClassVar[dict[str, str]] = {}  # no `Allow`: there is no resource that allows anything

    def dispatch(self, request: Any, *args: Any, **options: Any) -> Any:
        self.is_search = str(options.get("rest", "")).endswith(".search")
        return super().dispatch(request, *args, **options)

    def http_method_not_allowed(self, request: Any, *args: Any, **options: Any) -> Any:
        """RFC 7644, §3.12: 501 for an operation that is not supported."""
        if self.is_search:
            raise ScimError("Search by GET with a filter.", status=501)
        raise not_found()
