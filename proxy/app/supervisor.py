"""Several worker processes behind one port (SO_REUSEPORT), watched over by one that serves nothing itself."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence

from proxy.app.clock import SystemClock

logger = logging.getLogger(__name__)

WORKER_VARIABLE = "VENEER_WORKER"
"""Set in a worker's environment: its number, from 0."""

RESTART_PAUSE_S = 0.5
"""The least time between two starts of the same worker."""

GIVE_UP_AFTER = 5
"""So many starts in a row that ended within `SETTLED_S` mean that it is not going to work."""

SETTLED_S = 3.0


class Supervisor:
    """Starts `workers` copies of `argv`, replaces those that die, passes signals on, and ends when all have ended."""

    def __init__(self, argv: Sequence[str], workers: int) -> None:
        self._argv = tuple(argv)
        self._workers = workers
        self._clock = SystemClock()
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._stopping = False

    async def run(self) -> int:
        """Run until told to stop; returns the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._signal_all, signal.SIGHUP)
        results = await asyncio.gather(*(self._keep(worker) for worker in range(self._workers)))
        return max(results)

    def _stop(self) -> None:
        self._stopping = True
        self._signal_all(signal.SIGTERM)

    def _signal_all(self, number: signal.Signals) -> None:
        for process in self._processes.values():
            if process.returncode is None:
                process.send_signal(number)

    async def _keep(self, worker: int) -> int:
        """Keep one worker running; its last exit status."""
        short_lives = 0
        while True:
            began_s = self._clock.monotonic()
            environment = {**os.environ, WORKER_VARIABLE: str(worker)}
            process = await asyncio.create_subprocess_exec(*self._argv, env=environment)
            self._processes[worker] = process
            if self._stopping:
                process.send_signal(signal.SIGTERM)
            status = await process.wait()
            if self._stopping:
                return 0 if status in {0, -signal.SIGTERM, -signal.SIGINT} else 1
            lived_s = self._clock.monotonic() - began_s
            short_lives = short_lives + 1 if lived_s < SETTLED_S else 0
            if short_lives >= GIVE_UP_AFTER or (short_lives == 1 and status in {1, 2}):
                logger.error("worker %d does not start (exit status %d)", worker, status)
                self._stop()
                return 1
            logger.warning("worker %d ended with status %d; starting another", worker, status)
            await asyncio.sleep(RESTART_PAUSE_S)


def worker_number() -> int | None:
    """The number of this worker, None in a process that is no worker."""
    text = os.environ.get(WORKER_VARIABLE)
    return int(text) if text is not None and text.isdigit() else None


def supervise(workers: int) -> int:
    """Run this same command line in `workers` processes; returns the exit status."""
    argv = [sys.executable, "-m", "proxy", *sys.argv[1:]]
    return asyncio.run(Supervisor(argv, workers).run())
