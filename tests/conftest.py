"""Fixtures for every test: the real servers, started when a test asks for them."""

import gc
import os

import pytest
from hypothesis import settings

from tests.support.order import in_turn
from veneer.compiling.form import form

pytest_plugins = ["tests.support.stack_fixtures", "tests.support.redis_fixtures"]

# All that collecting makes stays: `pytest_collection_finish` takes it out of the sight of the cycle collector.
gc.disable()

# No timing assertions: a busy machine is not a failure.
settings.register_profile("veneer", deadline=None)
# `pytest --hypothesis-profile=deep tests/properties` looks for rare cases; it takes minutes.
settings.register_profile("deep", deadline=None, max_examples=5_000)
settings.load_profile("veneer")

# `make FORM=compiled` promises the compiled form: a green run on another one would prove nothing.
assert form().value == os.environ.get("VENEER_FORM", form().value), form()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files in turn (`in_turn`).

    What coverage is not asked of goes untraced, in two thirds of the time: properties repeat by the hundred what unit
    tests pass through, system tests have the products in other processes, and the house's own tests read the sources.
    """
    order = {file: place for place, file in enumerate(in_turn(item.path for item in items))}
    items.sort(key=lambda item: order[item.path])
    for item in items:
        if {"properties", "system"} & {*item.path.parts} or item.path.parent.name == "unit":
            item.add_marker("no_cover")


def pytest_collection_finish() -> None:
    """Take thousands of tests and modules, which stay until the end, out of the sight of the cycle collector."""
    gc.collect()
    gc.freeze()
    gc.enable()
