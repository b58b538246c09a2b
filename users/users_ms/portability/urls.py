from django.urls import path

from users_ms.portability import views

urlpatterns = [
    path("users/me/export", views.Export.as_view(), name="export"),
    path("imports", views.Imports.as_view(), name="imports"),
]
