"""A ModelViewSet behind a router."""

from typing import Any

from django.contrib.auth.password_validation import validate_password
from rest_framework import permissions, serializers, viewsets
from rest_framework.routers import DefaultRouter

from evidence.bench.stock.models import User


class UserSerializer(serializers.ModelSerializer[User]):
    """The fields that Tessera answers with; the password goes in only."""

    password = serializers.CharField(write_only=True, validators=[validate_password])

    class Meta:
        model = User
        fields = [
            "id", "name", "surname", "email", "email_verified", "phone", "locale", "time_zone", "attributes",
            "is_active", "is_superuser", "scopes", "created_at", "updated_at", "password",
        ]  # fmt: skip
        read_only_fields = ["email_verified", "is_active", "is_superuser", "scopes"]

    def create(self, validated_data: dict[str, Any]) -> User:
        password = validated_data.pop("password")
        user = User(**validated_data)
        user.set_password(password)
        user.save()
        return user


class UserViewSet(viewsets.ModelViewSet[User]):
    """Signing up is open; the rest needs a token."""

    queryset = User.objects.order_by("id")
    serializer_class = UserSerializer
    filterset_fields = ["name", "surname", "email"]

    def get_permissions(self) -> Any:
        return [permissions.AllowAny()] if self.action == "create" else super().get_permissions()


router = DefaultRouter()
router.register("users", UserViewSet)
urlpatterns = router.urls
