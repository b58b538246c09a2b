from django.urls import path

from users_ms.scim import client_views, discovery_views, group_views, views

urlpatterns = [
    path(
        "organisations/<int:organisation_id>/scim-clients",
        client_views.ScimClientCollection.as_view(),
        name="scim-clients",
    ),
    path(
        "organisations/<int:organisation_id>/scim-clients/<int:client_id>",
        client_views.ScimClientDetail.as_view(),
        name="scim-client",
    ),
    path("scim/v2/Users", views.UserCollection.as_view(), name="scim-users"),
    path("scim/v2/Users/<int:user_id>", views.UserDetail.as_view(), name="scim-user"),
    path("scim/v2/Groups", group_views.GroupCollection.as_view(), name="scim-groups"),
    path("scim/v2/Groups/<int:group_id>", group_views.GroupDetail.as_view(), name="scim-group"),
    path(
        "scim/v2/ServiceProviderConfig",
        discovery_views.ServiceProviderConfig.as_view(),
        name="scim-config",
    ),
    path("scim/v2/ResourceTypes", discovery_views.ResourceTypeCollection.as_view(), name="scim-resource-types"),
    path("scim/v2/ResourceTypes/<str:name>", discovery_views.ResourceTypeDetail.as_view(), name="scim-resource-type"),
    path("scim/v2/Schemas", discovery_views.SchemaCollection.as_view(), name="scim-schemas"),
    path("scim/v2/Schemas/<str:name>", discovery_views.SchemaDetail.as_view(), name="scim-schema"),
    path("scim/v2/<path:rest>", discovery_views.Elsewhere.as_view(), name="scim-elsewhere"),
]
