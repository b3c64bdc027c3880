"""Fixtures for every test: the real servers, started when a test asks for them."""

from hypothesis import settings

pytest_plugins = ["tests.stack.fixtures"]

# No timing assertions: a busy machine is not a failure.
settings.register_profile("veneer", deadline=None)
settings.load_profile("veneer")
