"""Every route of newservice-ms."""

from django.urls import include, path

from chassis.routes import shared_routes

urlpatterns = [path("newservice-ms/", include([*shared_routes(), path("", include("newservice_ms.items.urls"))]))]

handler400 = "chassis.errors.bad_request"
handler403 = "chassis.errors.permission_denied"
handler404 = "chassis.errors.not_found"
handler500 = "chassis.errors.server_error"
