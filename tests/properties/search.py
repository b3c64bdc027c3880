"""Every state that a protocol can come to, within bounds."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from typing import TypeVar

S = TypeVar("S")


def search(start: S, steps: Callable[[S], Iterable[S]], is_broken: Callable[[S], bool]) -> tuple[S | None, int]:
    """A state that is broken, or None, and how many others were seen.

    There are hundreds of thousands, and no cycles: the collector would go through them again and again.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        return _searched(start, steps, is_broken)
    finally:
        if collects:
            gc.enable()


def _searched(start: S, steps: Callable[[S], Iterable[S]], is_broken: Callable[[S], bool]) -> tuple[S | None, int]:
    seen = {start}
    todo = [start]
    while todo:
        for following in steps(todo.pop()):
            if following in seen:
                continue
            if is_broken(following):
                return following, len(seen)
            seen.add(following)
            todo.append(following)
    return None, len(seen)
