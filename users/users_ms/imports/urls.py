from django.urls import path

from users_ms.imports import views

urlpatterns = [path("imports", views.Imports.as_view(), name="imports")]
