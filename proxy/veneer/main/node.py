"""The composition root: settings to object graph, and the order in which its parts start and stop."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

import msgspec
from prometheus_client.core import Metric

from veneer.admin.access import AdminAccess
from veneer.admin.application import build_admin, probe_answers
from veneer.admin.changes import ChangesAdmin
from veneer.admin.deps import AdminDeps
from veneer.admin.history import History
from veneer.admin.probes import build_probes
from veneer.admin.purge_counts import PurgeCounts
from veneer.changes.followers import Followers
from veneer.compress.codec import Codecs
from veneer.core.listen_address import Address
from veneer.identity.provers import IdentityProvers
from veneer.limits.inflight import InFlight
from veneer.loop.clock import SystemClock
from veneer.loop.tasks import Tasks
from veneer.loop.tuning import allow_open_files
from veneer.main.administration import access_for, checks_of, listening, probes_address, renew_token
from veneer.main.backends import Backends
from veneer.main.changes import changes_admin, open_followers, with_changes
from veneer.main.gauges import certificate_ends, gauges_of, with_node
from veneer.main.inspection import LastReload, NodeParts
from veneer.main.listening import Front, FrontParts, own_url
from veneer.main.memory_room import memory_limit, within
from veneer.main.options import AdminOff, ServeOptions
from veneer.main.reloads import ReloadCounts
from veneer.main.shared import StoreSet, open_shared
from veneer.observe.counters import Snapshot
from veneer.observe.gauges import Gauges
from veneer.observe.metrics import Metrics
from veneer.observe.observation import Observation
from veneer.observe.process import ProcessFamilies
from veneer.pipeline.context import Services
from veneer.pipeline.recompress import RecompressionCounts, Recompressor
from veneer.policy.in_force import in_force
from veneer.policy.listeners import time_warnings
from veneer.policy.load import NO_FILE
from veneer.policy.model import Policy
from veneer.policy.warnings import report
from veneer.policy.watch import Load, PolicySource, ReloadOutcome, watch_file
from veneer.server.limits import ConnectionSettings
from veneer.stores.memory_policy import check_memory_policy
from veneer.upstream.retrieval import ResourceClient
from veneer.warming.sources import parse_target
from veneer.warming.warmer import warm
from veneer.workers.place import WorkerEnv
from veneer.workers.report import Report, answering_supervisor, encode

OTHER_FILES = 128
"""Open files for everything that is no connection to a client, a backend or Redis."""

REMIND_EVERY_S = 86_400.0

logger = logging.getLogger(__name__)


class Node:
    """One proxy process: everything between its sockets. Use as `async with Node(...)`.

    `place` is where it stands among several workers; None where it is the only process.
    """

    def __init__(
        self,
        options: ServeOptions,
        policy: Policy,
        reload: Load,
        observation: Observation,
        place: WorkerEnv | None = None,
    ) -> None:
        self._options = options
        self._place = place
        self._clock = SystemClock()
        self._started_s = self._clock.now()
        self._last_reload = LastReload(self._clock)
        self._policies = PolicySource(policy, reload, self._reloaded, self._last_reload.note)
        self._observation = observation
        self._in_flight = InFlight(policy.limits.in_flight)
        self._purges = PurgeCounts()
        self._serving = False
        self._draining = False
        self._reports = itertools.count(1)
        self._front: Front | None = None
        self._access = AdminAccess(None)
        self._admin_at_start = policy.admin
        self._exit = AsyncExitStack()
        self._reloads = ReloadCounts(self._policies, self._clock.now())
        self._tasks = Tasks()
        self._backends = Backends(self._clock, self._tasks, observation.client_spans)
        self._retriever = ResourceClient(self._clock, self._tasks)
        self._identities = IdentityProvers(self._retriever, self._tasks)
        self._followers: Followers | None = None

    async def __aenter__(self) -> Node:
        """Start the parts, the listening socket last. Raises ListenError."""
        try:
            await self._start()
        except BaseException:
            await self._exit.aclose()
            raise
        return self

    async def linger(self) -> None:
        """What comes before a stop: no longer ready, but still there, until load balancers must have noticed."""
        self._draining, self._serving = True, False
        if self._front is not None:
            self._front.end_connections()
        await asyncio.sleep(self._policies.current.timeouts.drain_delay_s)

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop in the opposite order: first no new requests, then what answers them."""
        self._draining, self._serving = True, False
        await self._exit.aclose()

    async def _start(self) -> None:
        policy, clock, tasks = self._policies.current, self._clock, self._tasks
        if self._speaks:
            logger.info("in force: %s", in_force(policy, str(self._options.policies or NO_FILE)))
        self._warn(policy)
        self._observe(policy)
        policy = replace(
            policy, stores=within(policy.stores, memory_limit(), self._options.workers, quiet=not self._speaks)
        )
        self._exit.push_async_callback(tasks.aclose)
        self._backends.apply(policy.upstreams)
        self._identities.apply(policy.identities)
        self._exit.push_async_callback(self._backends.aclose)
        self._exit.push_async_callback(self._retriever.aclose)
        codec = Codecs()
        self._exit.push_async_callback(codec.aclose)
        shared = await self._exit.enter_async_context(open_shared(policy.stores, clock, tasks))
        if shared.stores.redis is not None and self._speaks:
            tasks.start(check_memory_policy(shared.stores.redis), "redis: memory policy")
        self._followers = await self._exit.enter_async_context(open_followers(shared, policy.stores, clock, tasks))
        self._followers.apply(policy.changes)
        log, store = shared.stores.log, shared.stores.store
        recompressor = Recompressor(store, log, codec, clock, time.thread_time)
        tasks.start(recompressor.run(asyncio.sleep), "make coded bodies smaller")
        services = Services(
            clock=clock,
            store=store,
            log=log,
            locks=shared.stores.locks,
            identities=self._identities,
            rates=shared.rates,
            codec=codec,
            upstreams=self._backends,
            recorder=self._observation.observer,
            in_flight=self._in_flight,
            tasks=tasks,
            recompression=recompressor,
        )
        if self._options.policies is not None:
            tasks.start(watch_file(self._policies, self._options.policies, asyncio.sleep), "watch the policy file")
        await self._administer(shared, policy, recompressor.counts)
        await self._listen(services, policy)

    async def _administer(self, shared: StoreSet, policy: Policy, recompression: RecompressionCounts) -> None:
        """Open the admin listener and that of probes; a worker answers its supervisor instead."""
        snapshot = partial(self._snapshot, shared, policy, recompression)
        if self._place is not None:
            access, report = AdminAccess(None), partial(self._report, shared, snapshot)
            self._exit.callback(self._leave, self._place, report)
            deps = self._admin_deps(shared, snapshot, access)
            await self._exit.enter_async_context(answering_supervisor(deps, report, self._place.socket))
            return
        self._export_metrics(Metrics(snapshot, [ProcessFamilies()]))
        probes = probes_address(self._options, policy)
        if probes is not None:
            answers = probe_answers(self._admin_deps(shared, snapshot, AdminAccess(None)))
            await self._exit.enter_async_context(listening(build_probes(answers), probes))
            logger.info("probes and metrics on http://%s", probes)
        if self._options.admin is AdminOff.OFF:
            return
        address = self._options.admin or Address.parse(policy.admin.listen)
        history = History(self._clock.now, self._clock.monotonic)
        self._access = access_for(address, policy)
        deps = replace(self._admin_deps(shared, snapshot, self._access), history=history)
        self._tasks.start(history.run(snapshot, asyncio.sleep), "keep the last hour")
        await self._exit.enter_async_context(listening(build_admin(deps), address))
        logger.info("admin on http://%s", address)

    def _export_metrics(self, metrics: Metrics) -> None:
        """Send them where that is wanted, for the last time once all requests have ended."""
        export = self._observation.metrics_export
        if export is None:
            return

        async def gather() -> list[Metric]:
            return metrics.families()

        self._tasks.start(export.run(gather, asyncio.sleep), "send metrics by OTLP")
        self._exit.callback(lambda: export.offer(metrics.families()))

    def _admin_deps(self, shared: StoreSet, snapshot: Callable[[], Snapshot], access: AdminAccess) -> AdminDeps:
        return AdminDeps(
            access=access,
            clock=self._clock,
            log=shared.stores.log,
            snapshot=snapshot,
            policy=lambda: self._policies.current,
            metrics=Metrics(snapshot, [ProcessFamilies()]) if self._observation.metrics else None,
            checks=checks_of(shared, self._backends, lambda: self._policies.current),
            entries=shared.stores.memory.entries,
            sample=shared.stores.sample,
            starting=lambda: not self._serving,
            draining=lambda: self._draining,
            changes=self._changes_admin(shared),
            purges=self._purges,
            inspection=self._parts(shared, snapshot).inspection(),
        )

    def _parts(self, shared: StoreSet, snapshot: Callable[[], Snapshot]) -> NodeParts:
        """What operators ask of."""
        file = self._options.policies
        return NodeParts(
            policy=lambda: self._policies.current,
            clock=self._clock,
            started_s=self._started_s,
            file="" if file is None else str(file),
            shared=shared,
            backends=self._backends,
            identities=self._identities,
            last_reload=self._last_reload,
            status=lambda: "draining" if self._draining else "ok" if self._serving else "starting",
            watch=self._observation.observer.watch,
            snapshot=snapshot,
        )

    def _changes_admin(self, shared: StoreSet) -> ChangesAdmin | None:
        if self._followers is None:
            return None
        return changes_admin(shared, self._clock, self._followers, lambda: self._policies.current.changes)

    def _snapshot(self, shared: StoreSet, policy: Policy, recompression: RecompressionCounts) -> Snapshot:
        watched, backends = self._observation, self._backends

        def gauges() -> Gauges:
            loads, sets, dropped = backends.loads(), backends.target_sets(), watched.dropped
            found = gauges_of(shared, policy.stores, recompression, self._identities, dropped, loads, sets)
            bounds = (self._in_flight, None if self._front is None else self._front.crowd)
            found = with_node(found, shared, self._reloads, backends.conditions(), bounds)
            serving = {"serving": int(self._serving)} if self._place is not None else {"wanted": 1, "serving": 1}
            found = msgspec.structs.replace(found, workers=serving, purges=dict(self._purges.by_result))
            if self._front is not None:
                ends = certificate_ends(self._front.secured())
                found = msgspec.structs.replace(found, connections_refused=self._front.refused(), certificate_ends=ends)
            return with_changes(found, self._followers or {}, shared, self._clock.monotonic())

        return watched.observer.snapshot(gauges)

    def _report(self, shared: StoreSet, snapshot: Callable[[], Snapshot]) -> Report:
        return Report(next(self._reports), snapshot(), shared.stores.log.position, self._serving)

    def _leave(self, place: WorkerEnv, report: Callable[[], Report]) -> None:
        """Leave the last counts for the supervisor; without them it has those of a second ago."""
        try:
            place.last_words.write_bytes(encode(report()))
        except OSError as error:
            logger.warning("the last counts of this worker are lost: %s", error)

    async def _listen(self, services: Services, policy: Policy) -> None:
        parts = FrontParts(
            services,
            self._policies,
            self._options,
            self._observation,
            self._place,
            self._tasks,
            connection_settings(policy),
        )
        self._front = front = Front(parts, policy.timeouts.handshake_s)
        listeners = await front.open()
        self._exit.push_async_callback(front.close, policy.timeouts.drain_s)
        self._serving = True
        if front.secured() and self._speaks:
            self._tasks.start(self._remind(front), "look at certificates")
        url = own_url(listeners)
        if policy.warm and url is not None and (self._place is None or self._place.number == 0):
            self._tasks.start(self._warm(url, policy.warm), "warm the cache")

    async def _warm(self, url: str, targets: Sequence[str]) -> None:
        """Fetch the policy's `warm` targets through the front door, so that they are hits from the first client on."""
        wanted = [target for text in targets if (target := parse_target(text)) is not None]
        report = await warm(wanted, url, {}, certified=False)
        logger.info("warmed %s", report)

    async def reload(self) -> ReloadOutcome:
        """SIGHUP: read the policy file again; the log says what became of it, also where nothing has changed."""
        outcome = await self._policies.reload()
        if not outcome.changed and outcome.error is None:
            logger.info("policy %s stays in force: nothing has changed", outcome.policy.version_digest)
        return outcome

    def _reloaded(self, outcome: ReloadOutcome) -> None:
        """Take over what a new policy changes outside of requests, and say what happened."""
        self._reloads.note(outcome, self._clock.now())
        if outcome.error is not None:
            logger.error("the policy stays as it is: %s", outcome.error)
            return
        self._backends.apply(outcome.policy.upstreams)
        self._identities.apply(outcome.policy.identities)
        if self._followers is not None:
            self._followers.apply(outcome.policy.changes)
        self._observe(outcome.policy)
        if self._front is not None:
            self._front.apply(outcome.policy)
        renew_token(self._access, self._admin_at_start, outcome.policy.admin)
        self._in_flight.most = outcome.policy.limits.in_flight
        later = f"; restart for: {', '.join(outcome.needs_restart)}" if outcome.needs_restart else ""
        logger.info("policy %s is in force%s", outcome.policy.version_digest, later)
        self._warn(outcome.policy)

    def _observe(self, policy: Policy) -> None:
        """Have counts, spans and lines be of this policy from now on."""
        self._observation.expect({route.name: route.template.text for route in policy.routes})
        self._observation.observer.sample(policy.line_sampling)

    @property
    def _speaks(self) -> bool:
        """Whether this process says what all workers could say alike."""
        return self._place is None or self._place.number == 0

    def _warn(self, policy: Policy) -> None:
        """Log what the policy allows and is seldom meant."""
        if self._speaks:
            warnings = (*policy.warnings, *time_warnings(policy.listeners, self._clock.now()))
            for line in report(warnings, str(self._options.policies)):
                logger.warning("%s", line)

    async def _remind(self, front: Front) -> None:
        """Say every day which of the certificates that are shown end soon."""
        while True:
            await asyncio.sleep(REMIND_EVERY_S)
            for line in report(time_warnings(front.secured(), self._clock.now()), str(self._options.policies)):
                logger.warning("%s", line)


def connections_within(files: int, wanted: int, pooled: int, streams: int) -> int:
    """How many clients may be connected when client and backend connections together may be so many `files`.

    `pooled` and `streams` are what the upstreams allow themselves at most. Where files are few that is not set aside:
    nearly every connection to a backend is there for a client, so that half of the files are enough for each side.
    """
    room = files - pooled
    beside = room - min(streams, room // 2)  # each stream has a client of its own
    return min(wanted, max(1, beside, files // 2))


def connection_settings(policy: Policy) -> ConnectionSettings:
    """The bounds of client connections. Heads are measured again, exactly, when they are whole."""
    own = policy.stores.redis_max_connections + OTHER_FILES
    others = sum(upstream.max_connections for upstream in policy.upstreams.values()) + own
    wanted = policy.limits.connections
    streams = sum(upstream.max_streams for upstream in policy.upstreams.values())
    needed = wanted + others + streams
    files = allow_open_files(needed)
    connections = connections_within(files - own, wanted, others - own, streams)
    if connections < wanted:
        logger.warning(
            "the system allows %d open files: at most %d clients are served at once instead of %d; with %d (ulimit -n, "
            "LimitNOFILE) all would be",
            files,
            connections,
            wanted,
            needed,
        )
    return ConnectionSettings(
        head_timeout_s=policy.timeouts.head_s,
        most_connections=connections,
        keepalive_timeout_s=policy.timeouts.idle_s,
        max_line_bytes=policy.limits.target_bytes + 64,
        max_field_bytes=policy.limits.head_bytes,
        max_fields=policy.limits.header_count + 1,
    )
