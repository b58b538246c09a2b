"""Every route of notification-ms."""

from django.urls import include, path

from chassis.http.urls import shared_routes

urlpatterns = [
    path(
        "notification-ms/",
        include(
            [
                *shared_routes(),
                path("", include("notification_ms.deliveries.urls")),
                path("", include("notification_ms.webhooks.urls")),
            ]
        ),
    )
]

handler400 = "chassis.http.errors.bad_request"
handler403 = "chassis.http.errors.permission_denied"
handler404 = "chassis.http.errors.not_found"
handler500 = "chassis.http.errors.server_error"
