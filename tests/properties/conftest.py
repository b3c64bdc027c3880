"""What all property tests share."""

from __future__ import annotations

import pytest


def pytest_itemcollected(item: pytest.Item) -> None:
    """Leave coverage to the unit tests: tracing hundreds of examples each costs minutes and finds no other line."""
    item.add_marker("no_cover")
