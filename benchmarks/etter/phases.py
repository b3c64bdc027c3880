"""The ways to run the service, and one run of each: on a fresh copy of the data, with everything it needs started."""

from __future__ import annotations

import dataclasses
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psutil

from benchmarks.etter.load import Measured, Plan, run_load
from benchmarks.etter.mix import Mix, Person
from benchmarks.etter.quiet import ASKED, measure
from benchmarks.etter.report import QuietRead
from benchmarks.etter.warm import fill, jobs
from devstack.backend import BackendServer, Step, run_step
from devstack.callers import development_settings, proxy_environment
from devstack.postgres import PostgresServer
from devstack.process import ManagedProcess
from devstack.proxy import SHIPPED_POLICIES, ProxyOptions, ProxyServer
from devstack.redis import RedisServer
from etter.clock import utc_now
from etter.seed.sizes import SIZES, SizeName


@dataclass(frozen=True, slots=True)
class Phase:
    """One way to run the service. `fewer` are numbers of users to try before the planned one."""

    name: str
    indexes: bool
    unoptimised: bool
    proxied: bool
    fewer: tuple[int, ...] = ()


# What collapses under a thousand users may do well with few, so it is tried with few as well.
ALONE = Phase("the backend alone", indexes=True, unoptimised=False, proxied=False)
PHASES = (
    Phase("as found: no indexes, lazy loading", indexes=False, unoptimised=True, proxied=False, fewer=(8, 30, 100)),
    ALONE,
    Phase("behind the proxy", indexes=True, unoptimised=False, proxied=True),
)


@dataclass(frozen=True, slots=True)
class Ground:
    """Where phases run: the database server with its templates, and whether the proxy gets a Redis."""

    postgres: PostgresServer
    size: SizeName
    state: Path
    with_redis: bool
    fill_seconds: float

    def prepare(self) -> None:
        """Make the two databases that the phases copy: with the data alone, and with indexes."""
        seeded = self.postgres.ensure_database(self._template(indexed=False))
        run_step(Step("schema", ("etter.migrate", "--database-url", seeded)), self.state)
        run_step(
            Step("data", ("etter.seed", "--database-url", seeded, "--size", self.size)),
            self.state,
            show_output=True,
        )
        indexed = self.postgres.ensure_database(self._template(indexed=True), self._template(indexed=False))
        run_step(Step("indexes", ("etter.indexes", "apply", "--database-url", indexed)), self.state)
        run_step(Step("analyze", ("etter.indexes", "analyze", "--database-url", indexed)), self.state)

    def quiet(self) -> list[QuietRead]:
        """Read history and dashboard of the backend alone, without a load; nothing is written."""
        with ExitStack() as stack:
            backend = self._backend(stack, self.postgres.url(self._template(indexed=True)), ALONE)
            people = self._people(Mix(SIZES[self.size], Random(1)), ASKED, Random(2))
            return measure("127.0.0.1", backend.port, people, SIZES[self.size].history)

    def run(self, phase: Phase, plan: Plan) -> Iterator[tuple[Plan, Measured]]:
        """Run a phase with each of its numbers of users."""
        with ExitStack() as stack:
            self.postgres.drop_database("bench")
            url = self.postgres.create_database("bench", self._template(indexed=phase.indexes))
            stack.callback(self.postgres.drop_database, "bench")
            backend = self._backend(stack, url, phase)
            watched = {"backend": backend.process, "postgres": self.postgres.process}
            mix, random = Mix(SIZES[self.size], Random(1)), Random(2)
            people = self._people(mix, plan.users, random)
            port = backend.port
            if phase.proxied:
                proxy = self._proxy(stack, backend, watched)
                port = proxy.port
                filled, seconds = fill(proxy.url, jobs(mix, people, Random(3)), self.fill_seconds)
                print(f"  {filled} targets warmed in {seconds:.0f} s", flush=True)
            for users in (*phase.fewer, plan.users):
                own = _plan_for(phase, plan, users)
                yield own, _measure(own, port, backend, watched, mix, people[:users])

    def _people(self, mix: Mix, count: int, random: Random) -> list[Person]:
        return mix.people(count, development_settings().token_secret, utc_now(), random)

    def _template(self, *, indexed: bool) -> str:
        return f"{'indexed' if indexed else 'seeded'}_{self.size}"

    def _backend(self, stack: ExitStack, url: str, phase: Phase) -> BackendServer:
        backend = BackendServer(url, self.state, env={"ETTER_UNOPTIMISED": "true"} if phase.unoptimised else {})
        backend.process.launch.log_path.unlink(missing_ok=True)
        backend.start()
        stack.callback(backend.stop)
        return backend

    def _proxy(self, stack: ExitStack, backend: BackendServer, watched: dict[str, ManagedProcess]) -> ProxyServer:
        redis_url = None
        if self.with_redis:
            redis = RedisServer(self.state / "redis")
            redis.start()
            stack.callback(redis.stop)
            redis_url, watched["redis"] = redis.url, redis.process
        # All users come from one address here; a limit per address would measure the limit.
        environment = {**proxy_environment(), "RATE_LIMIT_REQUESTS": "1000000"}
        options = ProxyOptions(backend.url, policies=SHIPPED_POLICIES, redis_url=redis_url, env=environment)
        proxy = ProxyServer(options, self.state)
        proxy.process.launch.log_path.unlink(missing_ok=True)
        proxy.start()
        stack.callback(proxy.stop)
        watched["proxy"] = proxy.process
        return proxy


def _plan_for(phase: Phase, plan: Plan, users: int) -> Plan:
    # A cache is measured when it is warm; the backend alone has nothing to warm but its pool.
    warm_up = plan.warm_up_seconds if phase.proxied else min(10.0, plan.warm_up_seconds)
    seconds = plan.seconds if users == plan.users and not phase.fewer else plan.seconds / 2
    return dataclasses.replace(plan, users=users, warm_up_seconds=warm_up, seconds=seconds)


def _measure(
    plan: Plan,
    port: int,
    backend: BackendServer,
    watched: dict[str, ManagedProcess],
    mix: Mix,
    people: list[Person],
) -> Measured:
    before, spent = _metrics(backend), _spent(watched)
    samples = run_load("127.0.0.1", port, mix, people, plan)
    used = {name: seconds - spent[name] for name, seconds in _spent(watched).items()}
    return Measured(samples, before, _metrics(backend), used)


def _spent(watched: dict[str, ManagedProcess]) -> dict[str, float]:
    """Processor seconds of each process with its children, and of this one, which makes the load."""
    spent = {name: sum(map(_seconds, _family(process.pid))) for name, process in watched.items()}
    own = psutil.Process().cpu_times()
    return spent | {"load": own.user + own.system}


def _family(pid: int) -> list[psutil.Process]:
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    # With those of children that have ended: PostgreSQL's connections come and go.
    return times.user + times.system + times.children_user + times.children_system


def _metrics(backend: BackendServer) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{backend.url}/metrics", timeout=120) as response:
        return str(response.read().decode())
