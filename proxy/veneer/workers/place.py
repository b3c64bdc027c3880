"""What a supervisor tells a worker about its place, by way of the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

NUMBER, LISTENERS, SOCKET = "VENEER_WORKER", "VENEER_WORKER_LISTENERS", "VENEER_WORKER_SOCKET"
SUPERVISOR, POLICIES = "VENEER_WORKER_SUPERVISOR", "VENEER_WORKER_POLICIES"
FILES = "VENEER_WORKER_FILES"


@dataclass(frozen=True, slots=True)
class WorkerEnv:
    """A worker's number from 0, the file numbers of the listening sockets it inherits, and where it is asked.

    `listeners` are by the addresses as they were asked for when the supervisor started, in that order.
    `supervisor` is the process that started it, and with which it ends.
    `policies` is the copy of the policy file to start from (last_good); None where there is no file. `files` are the
    file numbers of copies of what it reads beside it (kept_files), by path.
    """

    number: int
    listeners: tuple[tuple[str, int], ...]
    socket: Path
    supervisor: int
    policies: Path | None = None
    files: tuple[tuple[str, int], ...] = ()

    def environment(self) -> dict[str, str]:
        """The variables that say it."""
        named = {
            NUMBER: str(self.number),
            LISTENERS: msgspec.json.encode(self.listeners).decode(),
            SOCKET: str(self.socket),
            SUPERVISOR: str(self.supervisor),
            FILES: msgspec.json.encode(self.files).decode(),
        }
        return named if self.policies is None else named | {POLICIES: str(self.policies)}

    @property
    def last_words(self) -> Path:
        """Where the worker leaves its last report when it ends in order."""
        return self.socket.with_suffix(".last")


def place_of(environment: Mapping[str, str]) -> WorkerEnv | None:
    """This process' place; None where it is no supervisor's worker."""
    told = (environment.get(name, "") for name in (NUMBER, LISTENERS, SOCKET, SUPERVISOR))
    number, files, socket, supervisor = told
    if not (number.isdigit() and files and socket and supervisor.isdigit()):
        return None
    listeners = msgspec.json.decode(files, type=tuple[tuple[str, int], ...])
    policies, kept = environment.get(POLICIES, ""), environment.get(FILES) or "[]"
    return WorkerEnv(
        number=int(number),
        listeners=listeners,
        socket=Path(socket),
        supervisor=int(supervisor),
        policies=Path(policies) if policies else None,
        files=msgspec.json.decode(kept, type=tuple[tuple[str, int], ...]),
    )
