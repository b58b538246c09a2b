from django.urls import path

from users_ms.accounts import views

urlpatterns = [
    path("users", views.UserCollection.as_view(), name="users"),
    path("users/me", views.CurrentUser.as_view(), name="current-user"),
    path("users/me/export", views.Export.as_view(), name="export"),
    path("users/<int:user_id>", views.UserDetail.as_view(), name="user"),
    path("internal/credentials", views.InternalCredentials.as_view(), name="internal-credentials"),
    path("internal/users/<int:user_id>/password", views.InternalPassword.as_view(), name="internal-password"),
    path(
        "internal/users/<int:user_id>/email-verified",
        views.InternalEmailVerified.as_view(),
        name="internal-email-verified",
    ),
    path(
        "internal/users/<int:user_id>/email-change-undone",
        views.InternalEmailChangeUndone.as_view(),
        name="internal-email-change-undone",
    ),
    path(
        "internal/users/<int:user_id>/phone-verified",
        views.InternalPhoneVerified.as_view(),
        name="internal-phone-verified",
    ),
    path("internal/users/<int:user_id>/rights", views.InternalRights.as_view(), name="internal-rights"),
    path("internal/deletions/<int:user_id>", views.InternalDeletion.as_view(), name="internal-deletion"),
    path("load-test", views.LoadTest.as_view(), name="load-test"),
]
