"""Fixtures for every test: the real servers, started when a test asks for them."""

pytest_plugins = ["tests.stack.fixtures"]
