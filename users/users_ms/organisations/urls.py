from django.urls import path

from users_ms.organisations import internal_views, invitation_views, views

urlpatterns = [
    path("organisations", views.OrganisationCollection.as_view(), name="organisations"),
    path("organisations/<int:organisation_id>", views.OrganisationDetail.as_view(), name="organisation"),
    path("organisations/<int:organisation_id>/domains", views.Domains.as_view(), name="organisation-domains"),
    path("organisations/<int:organisation_id>/members", views.MemberCollection.as_view(), name="members"),
    path("organisations/<int:organisation_id>/members/<int:user_id>", views.MemberDetail.as_view(), name="member"),
    path(
        "organisations/<int:organisation_id>/invitations",
        invitation_views.InvitationCollection.as_view(),
        name="invitations",
    ),
    path(
        "organisations/<int:organisation_id>/invitations/<int:invitation_id>",
        invitation_views.InvitationDetail.as_view(),
        name="invitation",
    ),
    path(
        "organisations/<int:organisation_id>/invitations/<int:invitation_id>/mail",
        invitation_views.InvitationMail.as_view(),
        name="invitation-mail",
    ),
    path("organisations/invitations/look-up", invitation_views.InvitationLookUp.as_view(), name="invitation-look-up"),
    path(
        "organisations/invitations/accept",
        invitation_views.InvitationAcceptance.as_view(),
        name="invitation-acceptance",
    ),
    path("organisations/invitations/sign-up", invitation_views.InvitationSignUp.as_view(), name="invitation-sign-up"),
    path("internal/users/<int:user_id>/memberships", internal_views.Memberships.as_view(), name="internal-memberships"),
]
