"""Every route of users-ms."""

from django.urls import include, path

from chassis.http.urls import shared_routes

_NAMES = ("accounts", "portability", "organisations", "scim")
_applications = [path("", include(f"users_ms.{name}.urls")) for name in _NAMES]
urlpatterns = [path("users-ms/", include([*shared_routes(), *_applications]))]

handler400 = "chassis.http.errors.bad_request"
handler403 = "chassis.http.errors.permission_denied"
handler404 = "chassis.http.errors.not_found"
handler500 = "chassis.http.errors.server_error"
