"""One worker's place: its listening socket, which outlives every process in it, and the processes that come and go."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from veneer.server.listener import BACKLOG, Address, ListenError
from veneer.workers.place import WorkerEnv
from veneer.workers.report import Report, decode


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


def listen(address: Address) -> socket.socket:
    """A listening socket that shares its port with others (SO_REUSEPORT). Raises ListenError.

    The supervisor keeps it: what waits to be accepted when a worker ends is accepted by the next one.
    """
    try:
        family, kind, _, _, place = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind)
    except OSError as error:
        message = f"cannot listen on {address}: {error.strerror or error}"
        raise ListenError(message) from error
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        found.bind(place)
        found.listen(BACKLOG)
    except OSError as error:
        found.close()
        message = f"cannot listen on {address}: {error.strerror or error}"
        raise ListenError(message) from error
    return found


async def spawn(
    argv: Sequence[str], number: int, listener: socket.socket, directory: Path, name: str, policies: Path | None = None
) -> WorkerProcess:
    """Start a worker in a slot, from the copy `policies` of the policy file where there is one."""
    place = WorkerEnv(number, listener.fileno(), directory / f"{name}.sock", os.getpid(), policies)
    process = await asyncio.create_subprocess_exec(
        *argv, env={**os.environ, **place.environment()}, pass_fds=(listener.fileno(),)
    )
    return WorkerProcess(name, place, process)
