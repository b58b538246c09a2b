from django.urls import path

from notification_ms.webhooks import views

urlpatterns = [
    path("webhooks", views.WebhookCollection.as_view(), name="webhooks"),
    path("webhooks/<int:webhook_id>", views.WebhookDetail.as_view(), name="webhook"),
    path("webhooks/<int:webhook_id>/secrets", views.WebhookSecrets.as_view(), name="webhook-secrets"),
    path("webhooks/<int:webhook_id>/test", views.WebhookTest.as_view(), name="webhook-test"),
    path("webhooks/<int:webhook_id>/replay", views.WebhookReplay.as_view(), name="webhook-replay"),
    path("webhooks/<int:webhook_id>/deliveries", views.WebhookDeliveries.as_view(), name="webhook-deliveries"),
    path(
        "webhooks/<int:webhook_id>/deliveries/<int:delivery_id>/resend",
        views.WebhookResend.as_view(),
        name="webhook-resend",
    ),
    path("webhook-event-types", views.EventTypes.as_view(), name="webhook-event-types"),
    path("webhook-changes", views.WebhookChanges.as_view(), name="webhook-changes"),
]
