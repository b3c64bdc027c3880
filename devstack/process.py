"""Child processes that never outlive their owner, and whose output can be read while they run."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_POLL_EVERY_S = 0.02
_PR_SET_PDEATHSIG = 1


class StartError(RuntimeError):
    """A part of the stack did not start; the text is one line that says which and why."""


@dataclass(frozen=True, slots=True)
class Account:
    """The user and group a child runs as, and no other groups."""

    user: int
    group: int


LOWEST_PORT, LOWEST_OF_CONNECTIONS = 10_000, 32_768
"""Linux takes the ports of outgoing connections from those above, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What to run and how: argv, where its output goes, and how it is asked to stop."""

    name: str
    argv: Sequence[str]
    log_path: Path
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    inherit_output: bool = False


class Ports:
    """Gives out TCP ports on 127.0.0.1 that nobody listens on, none of them again soon.

    Whoever gets a port listens on it some time later, so that it looks free until then. None is among those
    that the system gives to connections, of which there are always some.
    """

    def __init__(self, draw: Callable[[int, int], int] = random.randrange, remembered: int = 2_000) -> None:
        self._draw, self._given = draw, deque[int](maxlen=remembered)

    def take(self, count: int, *, partner: int = 0) -> list[int]:
        """That many ports; where asked, the port that far above each is free as well, and given out with it."""
        found: list[int] = []
        while len(found) < count:
            port = self._draw(LOWEST_PORT, LOWEST_OF_CONNECTIONS - partner)
            wanted = {port, port + partner}
            if wanted.isdisjoint(self._given) and all(_can_bind(one) for one in wanted):
                self._given.extend(wanted)
                found.append(port)
        return found


def _can_bind(port: int) -> bool:
    with closing(socket.socket()) as held, suppress(OSError):
        held.bind(("127.0.0.1", port))
        return True
    return False


# Of the process, for everything that starts servers in it has to know of the others' ports.
_PORTS = Ports()


def free_port() -> int:
    """Return a TCP port on 127.0.0.1 that nobody listened on a moment ago and that was not given out lately."""
    return free_ports(1)[0]


def free_ports(count: int, *, partner: int = 0) -> list[int]:
    """Distinct such ports; where asked, the port that many above each is free as well."""
    return _PORTS.take(count, partner=partner)


def port_is_open(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts connections on the port."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_until(probe: Callable[[], bool], *, timeout_s: float, every_s: float = _POLL_EVERY_S) -> bool:
    """Call the probe until it is true; return whether it was, within about `timeout_s`."""
    for _ in range(max(1, round(timeout_s / every_s))):
        if probe():
            return True
        time.sleep(every_s)
    return probe()


def _die_with_parent(stop_signal: signal.Signals) -> Callable[[], None] | None:
    # Linux sends the signal when the thread that forked ends, so only the main thread may ask for it.
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, int(stop_signal), 0, 0, 0)


class ManagedProcess:
    """One child process in a session of its own; its output goes to a file.

    The session keeps a terminal's Ctrl-C away from the child, so that the owner decides the order of
    stopping, and lets `stop` end whatever the child itself started.
    """

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running child."""
        if self._child is None:
            raise StartError(f"{self.launch.name} was not started")
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether the child has been started and has not ended."""
        return self._child is not None and self._child.poll() is None

    @property
    def exit_code(self) -> int | None:
        """The child's exit code, negative for a signal; None while it runs."""
        return None if self._child is None else self._child.poll()

    def start(self) -> None:
        """Start the child; its output is appended to the log file."""
        launch, account = self.launch, self.launch.account
        launch.log_path.parent.mkdir(parents=True, exist_ok=True)
        with launch.log_path.open("ab") as log:
            try:
                self._child = subprocess.Popen(
                    list(launch.argv),
                    cwd=ROOT,
                    env={**os.environ, "PYTHONUNBUFFERED": "1", **launch.env},
                    stdin=subprocess.DEVNULL,
                    stdout=None if launch.inherit_output else log,
                    stderr=None if launch.inherit_output else subprocess.STDOUT,
                    start_new_session=True,
                    user=account.user if account else None,
                    group=account.group if account else None,
                    extra_groups=[] if account else None,
                    preexec_fn=_die_with_parent(launch.stop_signal),  # noqa: PLW1509 - one C call, and only on Linux
                )
            except OSError as error:
                raise StartError(f"{launch.name} did not start: {error}") from error

    def wait_ready(self, probe: Callable[[], bool], *, timeout_s: float = 60) -> None:
        """Wait until the probe is true; a child that ends first, or time running out, is a StartError."""
        if wait_until(lambda: not self.running or probe(), timeout_s=timeout_s) and self.running:
            return
        reason = f"not ready after {timeout_s:g} s" if self.running else f"exit code {self.exit_code}"
        self.stop()
        raise StartError(f"{self.launch.name} did not start ({reason}): {self.last_line()}")

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the child alone."""
        if self._child is not None:
            self._child.send_signal(number)

    def wait(self, timeout_s: float) -> bool:
        """Wait for the child to end; return whether it did."""
        if self._child is None:
            return True
        try:
            self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self, timeout_s: float = 10) -> bool:
        """Ask the child to stop, then end its whole session; return whether it obeyed. Safe to call twice."""
        obeyed = True
        if self.running:
            self.send(self.launch.stop_signal)
            obeyed = self.wait(timeout_s)
        self.kill()
        return obeyed

    def kill(self) -> None:
        """End the child and all it started, at once (SIGKILL)."""
        if self._child is None:
            return
        try:
            os.killpg(self._child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        except PermissionError:  # macOS says so for a group of zombies
            self._child.kill()
        self._child.wait()

    def log_text(self) -> str:
        """Everything the child has written so far."""
        try:
            return self.launch.log_path.read_text("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def says(self, text: str, *, within_s: float = 10.0) -> bool:
        """Whether the child has written `text`, or writes it in time: a log may be written behind what it tells of."""
        return wait_until(lambda: text in self.log_text(), timeout_s=within_s)

    def log_lines(self) -> list[str]:
        """The complete lines the child has written so far."""
        return self.log_text().splitlines()

    def last_line(self) -> str:
        """The last line that says something, for a one-line error."""
        lines = [line.strip() for line in self.log_lines() if line.strip()]
        return lines[-1] if lines else "it wrote nothing"
