"""Secrets and certificates as the policy in force has read them, kept in memory for workers that start later."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 4 * 1024**2
"""Of one file: those that the system's authorities are in have a few hundred KB."""
SEALED: Final = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL


class KeptFiles:
    """Copies of the files that one load of a policy reads: in memory without a name, so on no disk and in no folder.

    Each is a file descriptor (memfd_create). Who inherits it reads it as a file, as OpenSSL insists on, and cannot
    change it.
    """

    def __init__(self) -> None:
        self.descriptors: dict[str, int] = {}
        """By the path of what was copied."""

    def copy(self, path: Path) -> Path:
        """Copy a file once; returns where to read it, or the path of one that cannot be copied: its reader says why."""
        name = str(path)
        if name not in self.descriptors:
            try:
                with path.open("rb") as file:
                    data = file.read(MAX_BYTES + 1)
                if len(data) > MAX_BYTES:
                    return path
                self.descriptors[name] = in_memory(data)
            except (OSError, ValueError):
                return path
        return _found(self.descriptors[name], path)

    def close(self) -> None:
        """Let the copies go; workers that have inherited them keep them."""
        for descriptor in self.descriptors.values():
            os.close(descriptor)
        self.descriptors.clear()


def in_memory(data: bytes) -> int:
    """A descriptor of a file with this content that nobody can change."""
    descriptor = os.memfd_create("veneer", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(data)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALED)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def readable_at(descriptor: int) -> Path:
    """Where this process opens it anew, from its beginning."""
    return Path(f"/proc/self/fd/{descriptor}")


def inherited(descriptors: Mapping[str, int]) -> Callable[[Path], Path]:
    """What finds the copies that a supervisor has handed over; a path without one stays as it is."""

    def copy(path: Path) -> Path:
        descriptor = descriptors.get(str(path))
        return path if descriptor is None else _found(descriptor, path)

    return copy


def _found(descriptor: int, path: Path) -> Path:
    """Where to read the copy; the file itself where no /proc shows descriptors as files."""
    copy = readable_at(descriptor)
    return copy if copy.exists() else path
