"""In which order the files of tests are handed out to those who run them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

WAITING = ("system", "integration", "contract", "scenarios")
"""Folders whose tests wait most of their time, for processes that they have started."""

LONGEST_FIRST = (
    "test_coherence.py",
    "test_wheels.py",
    "test_identities.py",
    "test_workers.py",
    "test_invalidation_log.py",
    "test_postgres_source.py",
    "test_syntax.py",
    "test_source_model.py",
    "test_silence.py",
    *WAITING,
)
"""What a file's path has to hold, where its tests take long."""


def in_turn(files: Iterable[Path]) -> list[Path]:
    """The files, each once, in the order in which they are to be handed out.

    Those that take long come first: a worker that gets one as its last leaves the others idle. Those that wait and
    those that compute are spread over each other, so that at any time some do the one and some the other.
    """

    def length(file: Path) -> int:
        return next((n for n, part in enumerate(LONGEST_FIRST) if part in file.parts), len(LONGEST_FIRST))

    waiting: list[Path] = []
    computing: list[Path] = []
    for file in sorted(dict.fromkeys(files), key=length):
        (computing if set(WAITING).isdisjoint(file.parts) else waiting).append(file)
    places = [((place + 1) / len(kind), file) for kind in (waiting, computing) for place, file in enumerate(kind)]
    return [file for _, file in sorted(places, key=lambda one: one[0])]
