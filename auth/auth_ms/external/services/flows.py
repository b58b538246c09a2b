"""Which class speaks with which kind of provider."""

from auth_ms.external.models import ExternalProvider
from auth_ms.external.services.apple import Apple
from auth_ms.external.services.code_flow import CodeFlow
from auth_ms.external.services.github import GitHub
from auth_ms.external.services.openid import OpenID

_CLASSES: dict[str, type[CodeFlow]] = {"openid": OpenID, "github": GitHub, "apple": Apple}


def flow_of(provider: ExternalProvider) -> CodeFlow:
    """The flow with which users sign in at a provider."""
    return _CLASSES[provider.kind](provider)
