"""A worker's place by way of the environment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from veneer.workers.place import LISTENERS, NUMBER, SOCKET, SUPERVISOR, WorkerEnv, place_of

PLACE = WorkerEnv(2, (("127.0.0.1:8080", 7), ("unix:/run/a.sock", 8)), Path("/run/w2-1.sock"), 4711)
WITH_FILES = replace(PLACE, policies=Path("/run/policies.yaml"), files=(("/etc/veneer/tls.key", 9),))


def test_a_place_comes_back_as_it_was_told() -> None:
    assert place_of({"PATH": "/bin", **PLACE.environment()}) == PLACE
    assert place_of({"PATH": "/bin", **WITH_FILES.environment()}) == WITH_FILES
    assert PLACE.last_words == Path("/run/w2-1.last")


@pytest.mark.parametrize("lost", [NUMBER, LISTENERS, SOCKET, SUPERVISOR])
def test_half_a_place_is_none(lost: str) -> None:
    assert place_of({**PLACE.environment(), lost: ""}) is None


def test_a_process_of_its_own_has_none() -> None:
    assert place_of({}) is None
