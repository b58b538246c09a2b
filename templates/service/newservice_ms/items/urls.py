from django.urls import path

from newservice_ms.items import views

urlpatterns = [path("items", views.ItemCollection.as_view(), name="items")]
