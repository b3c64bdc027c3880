"""Fixtures of the tests of real programs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.support.both import Both


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    """Runs steps straight and through; what it started ends with the test."""
    pair = Both(tmp_path)
    try:
        yield pair
    finally:
        pair.stop()
