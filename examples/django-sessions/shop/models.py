"""What the shop sells, and what was ordered."""

from django.conf import settings
from django.db import models


class Product(models.Model):
    name = models.CharField(max_length=80)
    cents = models.PositiveIntegerField()


class Order(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    product = models.ForeignKey(Product, models.CASCADE)
    cents = models.PositiveIntegerField()
