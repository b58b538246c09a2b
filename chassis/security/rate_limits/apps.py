from django.apps import AppConfig


class RateLimits(AppConfig):
    name = "chassis.security.rate_limits"
    label = "rate_limits"
