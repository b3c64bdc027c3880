"""Fixtures for every test: the real servers, started when a test asks for them."""

import os

from hypothesis import settings

from veneer.compiling.form import form

pytest_plugins = ["tests.support.stack_fixtures", "tests.support.redis_fixtures"]

# No timing assertions: a busy machine is not a failure.
settings.register_profile("veneer", deadline=None)
# `pytest --hypothesis-profile=deep tests/properties` looks for rare cases; it takes minutes.
settings.register_profile("deep", deadline=None, max_examples=5_000)
settings.load_profile("veneer")

# `make FORM=compiled` promises the compiled form: a green run on another one would prove nothing.
assert form().value == os.environ.get("VENEER_FORM", form().value), form()
