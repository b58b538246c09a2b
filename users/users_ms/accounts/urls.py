from django.urls import path

from users_ms.accounts import internal_views, views

urlpatterns = [
    path("users", views.UserCollection.as_view(), name="users"),
    path("sign-up", views.SignUpPolicy.as_view(), name="sign-up-policy"),
    path("users/me", views.CurrentUser.as_view(), name="current-user"),
    path("users/<int:user_id>", views.UserDetail.as_view(), name="user"),
    path("internal/credentials", internal_views.Credentials.as_view(), name="internal-credentials"),
    path("internal/users", internal_views.Users.as_view(), name="internal-users"),
    path("internal/users/<int:user_id>/password", internal_views.Password.as_view(), name="internal-password"),
    path(
        "internal/users/<int:user_id>/email-verified",
        internal_views.EmailVerified.as_view(),
        name="internal-email-verified",
    ),
    path(
        "internal/users/<int:user_id>/email-change-undone",
        internal_views.EmailChangeUndone.as_view(),
        name="internal-email-change-undone",
    ),
    path(
        "internal/users/<int:user_id>/phone-verified",
        internal_views.PhoneVerified.as_view(),
        name="internal-phone-verified",
    ),
    path("internal/users/<int:user_id>/rights", internal_views.Rights.as_view(), name="internal-rights"),
    path("internal/deletions/<int:user_id>", internal_views.Deletion.as_view(), name="internal-deletion"),
    path("load-test", views.LoadTest.as_view(), name="load-test"),
]
