from django.urls import path

from users_ms.organisations import internal_views, views

urlpatterns = [
    path("organisations", views.OrganisationCollection.as_view(), name="organisations"),
    path("organisations/<int:organisation_id>", views.OrganisationDetail.as_view(), name="organisation"),
    path("organisations/<int:organisation_id>/members", views.MemberCollection.as_view(), name="members"),
    path(
        "organisations/<int:organisation_id>/members/<int:user_id>", views.MemberDetail.as_view(), name="member"
    ),
    path(
        "internal/users/<int:user_id>/memberships", internal_views.Memberships.as_view(), name="internal-memberships"
    ),
]
