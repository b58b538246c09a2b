from django.urls import path

from auth_ms.sign_in import views

urlpatterns = [
    path("auth/login", views.Login.as_view(), name="login"),
    path(".well-known/jwks.json", views.KeySet.as_view(), name="keys"),
]
