"""One worker's place: its listening sockets, which outlive every process in it, and the processes that come and go."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from veneer.workers.place import WorkerEnv
from veneer.workers.report import Report, decode


@dataclass(frozen=True, slots=True)
class KeptPolicy:
    """The policy that was right last: a copy of its file, and the descriptors of copies of what it reads, by path."""

    policies: Path
    files: Callable[[], Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """A process in a slot. Its name is another one for each."""

    name: str
    place: WorkerEnv
    process: asyncio.subprocess.Process

    def tell(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self.process.returncode is None:
            self.process.send_signal(number)

    def last_words(self) -> Report | None:
        """The report it left when it ended in order."""
        try:
            return decode(self.place.last_words.read_bytes())
        except (OSError, msgspec.MsgspecError):
            return None

    def tidy(self) -> None:
        """Remove the files it used."""
        self.place.last_words.unlink(missing_ok=True)
        self.place.socket.unlink(missing_ok=True)


async def spawn(
    argv: Sequence[str],
    number: int,
    listeners: Mapping[str, socket.socket],
    directory: Path,
    name: str,
    kept: KeptPolicy | None = None,
) -> WorkerProcess:
    """Start a worker in a slot, from what was `kept` of the policy file where there is one.

    `listeners` are the sockets that it inherits, by the addresses as they are asked for.
    """
    policies, copies = (None, ()) if kept is None else (kept.policies, tuple(kept.files().items()))
    files = tuple((address, listener.fileno()) for address, listener in listeners.items())
    place = WorkerEnv(number, files, directory / f"{name}.sock", os.getpid(), policies, copies)
    process = await asyncio.create_subprocess_exec(
        *argv, env={**os.environ, **place.environment()}, pass_fds=[file for _, file in (*files, *copies)]
    )
    return WorkerProcess(name, place, process)
