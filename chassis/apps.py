from django.apps import AppConfig


class Chassis(AppConfig):
    name = "chassis"
    label = "chassis"
