"""The routes of newservice-ms."""

from django.urls import include, path

from chassis.http.urls import shared_routes

urlpatterns = [path("newservice-ms/", include([*shared_routes(), path("", include("newservice_ms.items.urls"))]))]

handler400 = "chassis.http.errors.bad_request"
handler403 = "chassis.http.errors.permission_denied"
handler404 = "chassis.http.errors.not_found"
handler500 = "chassis.http.errors.server_error"
