"""`manage.py stock NAME...`: things to sell, and a customer for each name, whose password is `of-NAME`."""

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand

from shop.models import Product


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument("names", nargs="+")

    def handle(self, *, names, **_options):
        Product.objects.bulk_create(Product(name=f"Thing {number}", cents=100 * number) for number in range(1, 25))
        for name in names:
            User.objects.create_user(name, password=f"of-{name}", is_staff=name == "boss")
