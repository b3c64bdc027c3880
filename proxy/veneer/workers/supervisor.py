"""Keeps worker processes running behind one port, replaces the dead, and replaces all of them one by one on SIGHUP."""

from __future__ import annotations

import asyncio
import itertools
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from veneer.core.listen_address import ListenAddress
from veneer.loop.service_manager import ServiceManager
from veneer.loop.tasks import Tasks
from veneer.policy.watch import ReloadOutcome
from veneer.ports import Clock
from veneer.server.sockets import ListenError
from veneer.workers.bindings import Binding, Bindings
from veneer.workers.counter_totals import CounterTotals
from veneer.workers.heartbeat import MISSED, PATIENCE_S, hangs
from veneer.workers.slot import KeptPolicy, WorkerProcess, spawn
from veneer.workers.worker_client import collect_reports

logger = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
"""A worker that dies is replaced after a pause, which doubles while its successors die young."""

SETTLED_S = 10.0
"""Who lives longer did not die young."""

GIVE_UP_AFTER = 5
"""So many young deaths in a slot in which none has ever served mean that it is not going to work."""

SERVING, KEPT = "serving", "serving; the last reload was refused, and the log says why"
"""What the service manager shows."""

START_TIMEOUT_S = 60.0
EXIT_MARGIN_S = 15.0
"""A worker that is told to stop has its drain time and so much more to end, then it is killed."""

LOOK_EVERY_S = 0.05
COLLECT_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class SupervisorSettings:
    """What to run, how often, and where.

    `reload` takes up the policy file, and tells whether it is right; workers start from what was right last, `kept`,
    where there is a file.
    """

    argv: Sequence[str]
    workers: int
    bindings: Sequence[Binding]
    directory: Path
    drain_s: float
    reload: Callable[[], Awaitable[ReloadOutcome]]
    kept: KeptPolicy | None = None


@dataclass(slots=True)
class Slot:
    """A place for one worker: `current` serves or tries to. `changing` is held while another one takes over.

    `hung` says that its worker was killed for not answering.
    """

    number: int
    listeners: dict[str, socket.socket]
    current: WorkerProcess | None = None
    served: bool = False
    hung: bool = False
    young_deaths: int = 0
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)


class Supervisor:
    """Starts the workers, replaces those that die, rolls on request, and ends when all have ended.

    `manager` is told when all workers have got to serve, of rolls and of the stop.
    """

    def __init__(
        self,
        orders: SupervisorSettings,
        totals: CounterTotals,
        clock: Clock,
        tasks: Tasks,
        manager: ServiceManager | None = None,
    ) -> None:
        self._orders = orders
        self._manager = manager or ServiceManager()
        self._totals = totals
        self._clock = clock
        self._tasks = tasks
        self._bindings = Bindings(orders.bindings)
        self._slots: list[Slot] = []
        self._living: dict[str, WorkerProcess] = {}
        self._names = itertools.count(1)
        self._rolling = self._roll_wanted = False
        self._stop = asyncio.Event()
        self.restarts = {"ended": 0, "hung": 0, "rolled": 0}
        """Workers that others have followed, by why."""

    @property
    def stopping(self) -> bool:
        """Whether all are told to stop."""
        return self._stop.is_set()

    def sockets(self) -> Mapping[str, Path]:
        """Where living workers answer."""
        return {name: worker.place.socket for name, worker in self._living.items()}

    def listen(self) -> list[ListenAddress]:
        """Open the listening sockets; returns the addresses with the ports in use. Raises ListenError."""
        try:
            for number in range(self._orders.workers):
                self._slots.append(Slot(number, self._bindings.open()))
        except ListenError:
            self._bindings.remove()
            raise
        return self._bindings.addresses()

    def processes(self) -> list[int]:
        """The process IDs of living workers."""
        return [worker.process.pid for worker in self._living.values()]

    async def run(self) -> int:
        """Run until told to stop; returns the exit status."""
        self._tasks.start(self._collect(), "collect the reports of the workers")
        try:
            return max(await asyncio.gather(*(self._keep(slot) for slot in self._slots)))
        finally:
            self.let_go()

    def let_go(self) -> None:
        """Close all listening sockets here, and remove their files."""
        for slot in self._slots:
            self._close(slot)
        self._bindings.remove()

    def stop(self) -> None:
        """Tell all to stop, and kill those that do not in time. From now on only workers hold listening sockets.

        Each closes its own when it lets nobody in any more: clients that connect are refused then, and do not wait for
        an accept that never comes.
        """
        if not self._stop.is_set():
            self._stop.set()
            self._manager.stopping()
            for slot in self._slots:
                self._close(slot)
            self._bindings.end()
            for worker in self._living.values():
                self._tasks.start(self._end(worker), f"stop {worker.name}")

    def roll(self) -> None:
        """Replace all workers, one at a time, in the background. What is asked for meanwhile is done once, after it."""
        self._roll_wanted = True
        if not self._rolling:
            self._rolling = True
            self._tasks.start(self._roll_all(), "roll")

    # ------------------------------------------------------------ one worker's life

    async def _start(self, slot: Slot) -> WorkerProcess:
        """Start a process in a slot. Raises ListenError or OSError."""
        if not slot.listeners:
            slot.listeners = self._bindings.open()
        name = f"w{slot.number}-{next(self._names)}"
        worker = await spawn(
            self._orders.argv, slot.number, slot.listeners, self._orders.directory, name, self._orders.kept
        )
        self._living[name] = worker
        self._tasks.start(self._attend(worker), f"attend {name}")
        if self._stop.is_set():
            self._tasks.start(self._end(worker), f"stop {name}")
        return worker

    async def _attend(self, worker: WorkerProcess) -> None:
        """Keep what a worker counted once it has ended."""
        await worker.process.wait()
        del self._living[worker.name]
        self._totals.ended(worker.name, worker.last_words())
        worker.tidy()

    async def _serves(self, worker: WorkerProcess) -> bool:
        """Wait until a worker takes requests; False when it ends or is stopped before, or takes too long."""
        deadline_s = self._clock.monotonic() + START_TIMEOUT_S
        while worker.process.returncode is None and self._clock.monotonic() < deadline_s and not self._stop.is_set():
            await collect_reports(self.sockets, self._totals)
            if worker.name in self._totals.serving():
                self._tasks.start(self._watch(worker), f"watch {worker.name}")
                return True
            await asyncio.sleep(LOOK_EVERY_S)
        return False

    async def _watch(self, worker: WorkerProcess) -> None:
        """Kill a worker that hangs; its slot gets another one, as with each that dies."""
        if await hangs(worker.place.socket, lambda: worker.process.returncode is not None):
            logger.error("worker %s has not answered for %g s: killed", worker.name, MISSED * PATIENCE_S)
            self._slots[worker.place.number].hung = True
            worker.tell(signal.SIGKILL)

    async def _end(self, worker: WorkerProcess) -> None:
        """Tell a worker to stop, wait until it has, and kill it when it takes too long."""
        worker.tell(signal.SIGTERM)
        try:
            async with asyncio.timeout(self._orders.drain_s + EXIT_MARGIN_S):
                await worker.process.wait()
        except TimeoutError:
            logger.error("worker %s does not stop: killed", worker.name)  # noqa: TRY400 - expected, no traceback
            worker.tell(signal.SIGKILL)
            await worker.process.wait()

    # ------------------------------------------------------------ a slot

    async def _keep(self, slot: Slot) -> int:
        """Keep a slot filled until told to stop; the exit status it leaves."""
        while not self._stop.is_set():
            began_s = self._clock.monotonic()
            status = await self._fill(slot)
            if self._stop.is_set():
                return 0 if status in {0, -signal.SIGTERM, -signal.SIGINT} else 1
            young = self._clock.monotonic() - began_s < SETTLED_S
            slot.young_deaths = slot.young_deaths + 1 if young else 1
            if not slot.served and (status in {1, 2} or slot.young_deaths >= GIVE_UP_AFTER):
                logger.error("worker %d does not start (exit status %d)", slot.number, status)
                self.stop()
                return 1
            self.restarts["hung" if slot.hung else "ended"] += 1
            slot.hung = False
            await self._pause(slot, status)
        return 0

    async def _fill(self, slot: Slot) -> int:
        """Start a worker in an empty slot and wait until the slot is empty again; the last one's exit status."""
        try:
            worker = slot.current = await self._start(slot)
        except (OSError, ListenError) as error:
            logger.error("worker %d cannot be started: %s", slot.number, error)  # noqa: TRY400 - the reason is whole
            return 0
        if await self._serves(worker):
            self._served(slot)
        elif not self._stop.is_set():
            await self._end(worker)
        while True:
            status = await worker.process.wait()
            async with slot.changing:
                if slot.current is worker:
                    return status
                worker = slot.current

    def _served(self, slot: Slot) -> None:
        """Note that a worker in the slot serves; the manager hears of it once that has been so in each."""
        first, slot.served = not slot.served, True
        if first and self._all_served():
            self._manager.ready(SERVING)

    def _all_served(self) -> bool:
        return all(slot.served for slot in self._slots)

    async def _pause(self, slot: Slot, status: int) -> None:
        """Wait before the next start: longer each time, and without holding on to clients that others could serve."""
        pause_s = min(FIRST_PAUSE_S * 2 ** (slot.young_deaths - 1), LONGEST_PAUSE_S)
        logger.warning("worker %d ended with status %d; another follows in %g s", slot.number, status, pause_s)
        if slot.young_deaths > 1:
            self._close(slot)
        try:
            async with asyncio.timeout(pause_s):
                await self._stop.wait()
        except TimeoutError:
            return

    def _close(self, slot: Slot) -> None:
        listeners, slot.listeners = slot.listeners, {}
        self._bindings.close(listeners)

    # ------------------------------------------------------------ all of them

    async def _collect(self) -> None:
        """Keep up with what the workers count, so that little is lost with one that dies."""
        while True:
            await asyncio.sleep(COLLECT_EVERY_S)
            await collect_reports(self.sockets, self._totals)

    async def _roll_all(self) -> None:
        try:
            while self._roll_wanted:
                self._roll_wanted = False
                serving = self._all_served()
                if serving:
                    self._manager.reloading()
                done = await self._roll_once()
                if serving:  # else the start is still to be told
                    self._manager.ready(SERVING if done else KEPT)
        finally:
            self._rolling = False

    async def _roll_once(self) -> bool:
        """Whether all workers have been replaced."""
        if (await self._orders.reload()).error is not None:
            logger.error("everything stays as it is")
            return False
        for slot in self._slots:
            if self._stop.is_set() or not await self._replace(slot):
                return False
        logger.info("all workers have been replaced")
        return True

    async def _replace(self, slot: Slot) -> bool:
        """Let a new worker take over, and then end the old one; False when the new one does not get to serve."""
        async with slot.changing:
            old = slot.current
            if old is None or old.process.returncode is not None:
                return True  # One is about to be started anyway.
            try:
                new = await self._start(slot)
            except (OSError, ListenError) as error:
                logger.error("worker %d stays: %s", slot.number, error)  # noqa: TRY400 - the reason is whole
                return False
            if not await self._serves(new):
                logger.error("worker %d stays: the new one does not get to serve", slot.number)
                await self._end(new)
                return False
            slot.current = new
            self.restarts["rolled"] += 1
        await self._end(old)
        return True
