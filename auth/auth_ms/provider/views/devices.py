"""Device authorization: the endpoint for devices, and the page on which users enter the code (RFC 8628)."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from auth_ms.provider import examples, pages, serializers
from auth_ms.provider.services import devices
from auth_ms.provider.views.forms import NO_STORE, ForClients, authenticated, read
from auth_ms.provider.views.pages import Page, proceed
from auth_ms.provider.views.tokens import errors
from auth_ms.sessions import page_cookies
from chassis.http.client_address import client_of
from chassis.http.errors import TooManyRequests


class DeviceAuthorization(ForClients):
    @extend_schema(
        operation_id="oauth_authorize_device",
        request={"application/x-www-form-urlencoded": serializers.DeviceAuthorizationInput},
        responses={200: serializers.DeviceAuthorizationOutput, **errors(400, 401, 429)},
        examples=[examples.DEVICE_INPUT, examples.DEVICE],
        tags=["oauth"],
    )
    def post(self, request: Request) -> Response:
        """Get a code for a device without a browser; its user enters it at `verification_uri` (RFC 8628, §3.1)."""
        by, form, resources = authenticated(request)
        codes = devices.start(form, resources, by=by, client=client_of(request), at=timezone.now())
        return Response(codes, headers=NO_STORE)


class Verification(Page):
    """The page of `verification_uri`.

    A code in the address is only filled in: the user still compares it with the device, because somebody else may have
    sent the link (§5.4).
    """

    def get(self, request: HttpRequest) -> HttpResponse:
        form, _ = read(request.GET)
        return _ask(request, form.get("user_code", ""))

    def post(self, request: HttpRequest) -> HttpResponse:
        at = timezone.now()
        typed = read(request.POST)[0].get("user_code", "")
        try:
            asked = devices.find(typed, client=client_of(request), at=at)
        except devices.WrongUserCode:
            return _ask(request, typed, problem="wrong_user_code", status=400)
        except TooManyRequests as error:
            return _ask(request, "", problem="too_many", status=429, headers=error.headers)
        return proceed(request, asked, page_cookies.session_of(request, at=at), at=at)


def _ask(request: HttpRequest, typed: str, **values: object) -> HttpResponse:
    user_code = devices.normalized(typed)
    return pages.show(request, "device", user_code=devices.shown(user_code) if user_code else "", **values)  # type: ignore[arg-type]
