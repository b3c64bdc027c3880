"""How much memory the cgroup of this process leaves for stored responses (Linux, versions 1 and 2)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from veneer.policy.node_settings import StoreSettings

logger = logging.getLogger(__name__)

PROCESS_BYTES: Final = 160 * 1024 * 1024
"""What a process takes beside what it stores: 96 MB for itself, 64 MB for bodies that are kept while they arrive."""

LEAST_SHARE: Final = 4
"""Where that leaves less than one fourth of what the process may take, what is stored gets one fourth."""

MEGABYTE: Final = 1024**2

_NO_LIMIT: Final = 1 << 60
"""Version 1 writes a number near 2^63 for none."""


def memory_limit(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int | None:
    """The bytes that the cgroup named in the file `own` may take, or the one of its parents that may take the least.

    None where there is no limit, or none that can be read.
    """
    found = [limit for file in _files(root, own) if (limit := _read(file)) is not None]
    return min(found, default=None)


def _files(root: Path, own: Path) -> Iterator[Path]:
    """The files of limits, from the innermost cgroup on; some may not exist."""
    try:
        lines = own.read_text("utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        controllers, _, path = line.partition(":")[2].partition(":")
        if controllers == "":
            top, name = root, "memory.max"
        elif "memory" in controllers.split(","):
            top, name = root / "memory", "memory.limit_in_bytes"
        else:
            continue
        place = Path(path.strip("/"))
        for folder in (place, *place.parents):
            yield top / folder / name


def _read(file: Path) -> int | None:
    try:
        text = file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return int(text) if text.isdecimal() and int(text) < _NO_LIMIT else None


def within(stores: StoreSettings, limit: int | None, processes: int, *, quiet: bool = False) -> StoreSettings:
    """The settings with as much memory for stored responses as fits, where the policy does not say how much.

    Where it does, it is obeyed, and warned about where that does not fit. `processes` share the `limit` in bytes; with
    `quiet` another one of them tells the log.
    """
    if limit is None:
        return stores
    share = limit // max(1, processes)
    fits = max(share - PROCESS_BYTES, share // LEAST_SHARE, MEGABYTE)
    if stores.memory_bytes <= fits:
        return stores
    many = "" if processes == 1 else f" for {processes} processes"
    allowed = f"the cgroup allows {_text(limit)}{many}"
    if stores.memory_told:
        logger.log(
            logging.DEBUG if quiet else logging.WARNING,
            "stores.memory is %s, and %s: the system may kill this process; %s would fit",
            _text(stores.memory_bytes),
            allowed,
            _text(fits),
        )
        return stores
    logger.log(logging.DEBUG if quiet else logging.INFO, "%s, so stores.memory is %s", allowed, _text(fits))
    return replace(stores, memory_bytes=fits)


def _text(size: int) -> str:
    return f"{size // MEGABYTE} MB"
