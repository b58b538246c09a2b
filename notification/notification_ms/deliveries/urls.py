from django.urls import path

from notification_ms.deliveries import views

urlpatterns = [
    path("notifications", views.NotificationCollection.as_view(), name="notifications"),
    path("notifications/<int:notification_id>", views.NotificationDetail.as_view(), name="notification"),
    path("preferences", views.Preferences.as_view(), name="preferences"),
    path("export", views.Export.as_view(), name="export"),
    path("previews/<str:event>", views.Preview.as_view(), name="preview"),
    path("dead-letters", views.DeadLetterCollection.as_view(), name="dead-letters"),
    path("dead-letters/redeliver", views.Redelivery.as_view(), name="dead-letters-redeliver"),
]
