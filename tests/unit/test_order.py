"""Who runs tests gets what takes long first, and what waits beside what computes."""

from __future__ import annotations

from pathlib import Path

from tests.support.order import in_turn


def test_what_waits_stands_between_what_computes_and_the_longest_of_each_comes_first() -> None:
    unit = [Path(f"tests/unit/test_{name}.py") for name in ("a", "b", "c", "silence")]
    system = [Path(f"tests/system/test_{name}.py") for name in ("a", "coherence")]
    found = [path.stem.removeprefix("test_") + path.parent.name[0] for path in in_turn([*unit, *system, *unit])]
    assert found == ["silenceu", "coherences", "au", "bu", "as", "cu"]
