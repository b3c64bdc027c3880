"""The supervisor's admin application: one health, one set of counters and one purge for all workers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp
import msgspec
from aiohttp import web
from prometheus_client.core import Metric

from veneer.admin.access import AdminAccess
from veneer.admin.answers import json_answer
from veneer.admin.application import MAX_BODY_BYTES, Page, guarded
from veneer.admin.changes import PATH, WAIT_PATH
from veneer.admin.counters_view import counters_of
from veneer.admin.history import PATH as HISTORY_PATH
from veneer.admin.history import History
from veneer.admin.hurried import in_time, whole_body
from veneer.admin.posted import EVENTS_PATH
from veneer.admin.recent import RecentPurges
from veneer.admin.stats import stats_of
from veneer.admin.views import COUNTERS_PATH, Health, PartHealth
from veneer.observe.counters import Counts, Snapshot, merged
from veneer.observe.gauges import Gauges
from veneer.observe.metrics import Metrics
from veneer.observe.process import ProcessFamilies, no_workers
from veneer.ports import Clock
from veneer.workers.counter_totals import CounterTotals
from veneer.workers.inspected import WorkersInspection, relayed
from veneer.workers.tails import WorkerTails
from veneer.workers.worker_client import FOREIGN, Question, Sockets, WorkerReply, ask, collect_reports

RELAY_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class AggregatorDeps:
    """`sockets` are where living workers answer, by their names; `wanted` is how many there should be.

    `history` is the last hour of all of them. `processes` are their process IDs, `restarts` how many were replaced,
    by why.
    """

    access: AdminAccess
    totals: CounterTotals
    sockets: Sockets
    wanted: int
    stopping: Callable[[], bool]
    metrics: bool
    clock: Clock
    history: History
    processes: Callable[[], Iterable[int]] = no_workers
    restarts: Mapping[str, int] = field(default_factory=dict)


class AdminAggregator:
    """Asks workers for their reports, and hands on what only a worker can do."""

    def __init__(self, deps: AggregatorDeps) -> None:
        self._deps = deps
        self._page = Page()
        self._families = Metrics(self._total, [ProcessFamilies(deps.processes)])
        self._metrics = self._families if deps.metrics else None
        self._inspection = WorkersInspection(
            self._relay, self._ask_all, RecentPurges(deps.clock), WorkerTails(deps.sockets)
        )

    def application(self) -> web.Application:
        """The routes, as a single process has them."""
        middlewares = [in_time, guarded(self._deps.access), whole_body]
        application = web.Application(middlewares=middlewares, client_max_size=MAX_BODY_BYTES)
        application.add_routes(
            [
                web.get("/", self._page.show),
                web.get("/health", self.health),
                web.get("/ready", self.ready),
                web.get("/health/detailed", self._health_detailed),
                web.get("/metrics", self.metrics),
                web.get("/stats", self._stats),
                web.post("/purge", self._inspection.purge),
                web.get(HISTORY_PATH, self._deps.history.show),
                web.get(PATH, self._hand_on),
                web.post(WAIT_PATH, self._hand_on),
                web.post(EVENTS_PATH, self._hand_on),
                *self._inspection.routes(),
                web.get(COUNTERS_PATH, self._counters),
            ]
        )
        return application

    def _total(self) -> Snapshot:
        """What all workers have counted, and what only their supervisor knows."""
        deps = self._deps
        own = Gauges(workers={"wanted": deps.wanted}, worker_restarts=dict(deps.restarts))
        return merged((deps.totals.total(), Snapshot(Counts(), own)))

    async def _collect(self) -> None:
        await collect_reports(self._deps.sockets, self._deps.totals)

    async def gather(self) -> list[Metric]:
        """The families of all workers as they are now, be they shown or not."""
        await self._collect()
        return self._families.families()

    async def health(self, _request: web.Request) -> web.Response:
        """Whether requests are taken or a stop is under way: 503 while no worker takes them."""
        status = await self._status()
        return json_answer(Health(status), 503 if status == "starting" else 200)

    async def ready(self, _request: web.Request) -> web.Response:
        """Whether new requests are to be sent here: 503 while no worker takes them, and once all are told to stop."""
        status = await self._status()
        return json_answer(Health(status), 200 if status == "ok" else 503)

    async def _status(self) -> str:
        if self._deps.stopping():
            return "draining"
        await self._collect()
        return "ok" if any(self._deps.totals.serving()) else "starting"

    async def _health_detailed(self, _request: web.Request) -> web.Response:
        """What one worker says of the parts, and how many workers serve."""
        answer = await self._relay(Question("GET", "/health/detailed"))
        found = msgspec.json.decode(answer.body, type=Health)
        serving = len(self._deps.totals.serving())
        all_there = serving >= self._deps.wanted
        workers = PartHealth("up" if all_there else "down", 0.0, f"{serving} of {self._deps.wanted} serve")
        shown = found.status if all_there or found.status != "ok" else "degraded"
        return json_answer(Health(shown, {"workers": workers, **found.parts}), answer.status)

    async def metrics(self, request: web.Request) -> web.Response:
        """The sum over all workers."""
        if self._metrics is None:
            raise web.HTTPNotFound(text="metrics are switched off: see ENABLE_METRICS")
        await self._collect()
        body, media_type = self._metrics.render(request.headers.get("accept", ""))
        return web.Response(body=body, headers={"Content-Type": media_type})

    async def _stats(self, _request: web.Request) -> web.Response:
        """The sum over all workers, for the page."""
        await self._collect()
        return json_answer(stats_of(self._total(), self._deps.totals.position))

    async def _counters(self, _request: web.Request) -> web.Response:
        """The sum over all workers, by route."""
        await self._collect()
        return json_answer(counters_of(self._total(), self._deps.clock.monotonic()))

    async def _hand_on(self, request: web.Request) -> web.Response:
        """Done by one worker: it tells all the others, as it tells other nodes."""
        media_type = request.headers.get("content-type", "")
        question = Question(request.method, request.path_qs, await request.read(), media_type)
        return relayed(await self._relay(question))

    async def _relay(self, question: Question) -> WorkerReply:
        """A serving worker's answer. Raises HTTPServiceUnavailable where none answers."""
        await self._collect()
        sockets = self._deps.sockets()
        for worker in self._deps.totals.serving():
            if worker in sockets:
                try:
                    return await ask(sockets[worker], question, RELAY_TIMEOUT_S)
                except aiohttp.ClientConnectorError:
                    continue  # It has just ended, and has done nothing.
                except FOREIGN as error:
                    raise web.HTTPServiceUnavailable(text=f"the worker gave no answer: {error}") from error
        raise web.HTTPServiceUnavailable(text="no worker takes requests now")

    async def _ask_all(self, question: Question) -> Sequence[tuple[str, WorkerReply]]:
        """Every serving worker's answer. Raises HTTPServiceUnavailable where none answers."""
        await self._collect()
        sockets = self._deps.sockets()
        workers = sorted(worker for worker in self._deps.totals.serving() if worker in sockets)

        async def answer(worker: str) -> tuple[str, WorkerReply] | None:
            try:
                return worker, await ask(sockets[worker], question, RELAY_TIMEOUT_S)
            except FOREIGN:
                return None  # It has ended, or is about to be found hanging: the others answer.

        found = [one for one in await asyncio.gather(*map(answer, workers)) if one is not None]
        if not found:
            raise web.HTTPServiceUnavailable(text="no worker takes requests now")
        return found
