"""Pages of customers who have signed in: prices of their own, a cart in the session, and their orders."""

from django.contrib.auth.decorators import login_required, user_passes_test
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from shop.models import Order, Product


def price(request, product):
    """Every customer has agreed on a price of their own."""
    return product.cents * (100 - request.user.id % 10) // 100


def priced(request, products):
    return [{"id": one.id, "name": one.name, "cents": price(request, one)} for one in products]


@login_required
def products(request: HttpRequest) -> HttpResponse:
    page = Paginator(Product.objects.order_by("id"), 8).get_page(request.GET.get("page"))
    return render(request, "products.html", {"page": page, "products": priced(request, page)})


@login_required
def product(request: HttpRequest, number: int) -> HttpResponse:
    (one,) = priced(request, [get_object_or_404(Product, id=number)])
    return render(request, "product.html", {"product": one})


@login_required
def cart(request: HttpRequest) -> HttpResponse:
    chosen = Product.objects.filter(id__in=request.session.get("cart", [])).order_by("id")
    return render(request, "cart.html", {"products": priced(request, chosen)})


@login_required
@require_POST
def add(request: HttpRequest) -> HttpResponse:
    chosen = get_object_or_404(Product, id=request.POST["product"])
    request.session["cart"] = [*request.session.get("cart", []), chosen.id]
    return redirect("/cart/")


@login_required
def orders(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        for one in Product.objects.filter(id__in=request.session.pop("cart", [])):
            Order.objects.create(user=request.user, product=one, cents=price(request, one))
        return redirect("/orders/")
    own = Order.objects.filter(user=request.user).select_related("product").order_by("id")
    return render(request, "orders.html", {"orders": own})


@user_passes_test(lambda user: user.is_staff)
@require_POST
def change_price(request: HttpRequest, number: int) -> HttpResponse:
    Product.objects.filter(id=number).update(cents=int(request.POST["cents"]))
    return redirect(f"/products/{number}/")
