"""The pages by path."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from shop import views

urlpatterns = [
    path("accounts/login/", LoginView.as_view()),
    path("accounts/logout/", LogoutView.as_view()),
    path("products/", views.products),
    path("products/<int:number>/", views.product),
    path("products/<int:number>/price/", views.change_price),
    path("cart/", views.cart),
    path("cart/add/", views.add),
    path("orders/", views.orders),
]
