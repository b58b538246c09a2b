"""The OpenAPI document of a service, and Swagger UI."""

import contextlib
import threading
from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from chassis.http import openapi
from chassis.http.probes import PublicView

# The least that Swagger UI works with; the gateway sends the same for its own /docs.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_generation = threading.Lock()  # drf-spectacular keeps global state while it generates


@cache
def _document(*, internal: bool) -> Any:
    with openapi.internal_routes() if internal else contextlib.nullcontext():
        return SchemaGenerator().get_schema(request=None, public=True)


class _Document(PublicView):
    """Generated once per process."""

    content_negotiation_class = DefaultContentNegotiation
    internal = False  # whether the document describes the routes that the gateway does not expose

    def get(self, request: Request) -> Response:
        with _generation:
            return Response(_document(internal=self.internal))


class OpenAPIJSON(_Document):
    renderer_classes = [OpenApiJsonRenderer]


class OpenAPIYAML(_Document):
    renderer_classes = [OpenApiYamlRenderer]


class SwaggerUI(SpectacularSwaggerSplitView):
    """Serves its script separately, so that the page needs no inline scripts."""

    content_negotiation_class = DefaultContentNegotiation
    renderer_classes = [TemplateHTMLRenderer]

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        answer: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        answer.headers["Content-Security-Policy"] = PAGE_POLICY
        return answer
