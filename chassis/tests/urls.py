from django.urls import include, path

from chassis.routes import shared_routes

urlpatterns = [path("example-ms/", include(shared_routes()))]
