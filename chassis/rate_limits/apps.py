from django.apps import AppConfig


class RateLimits(AppConfig):
    name = "chassis.rate_limits"
    label = "rate_limits"
