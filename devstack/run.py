"""The whole stack in the foreground: PostgreSQL, Redis, the Etter backend, and Veneer in front of it."""

from __future__ import annotations

import fcntl
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from devstack.backend import BackendServer, preparation, run_step
from devstack.callers import proxy_environment
from devstack.changes import changes_environment, telling
from devstack.postgres import PostgresServer
from devstack.process import ManagedProcess, StartError
from devstack.proxy import SHIPPED_POLICIES, ProxyOptions, ProxyServer
from devstack.redis import NO_REDIS, RedisServer, find_redis_binary

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WATCH_EVERY_S = 0.2

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for: where state lives, how much data, which ports of 127.0.0.1, whose servers."""

    state: Path
    size: str
    backend_port: int
    proxy_port: int
    admin_port: int
    workers: int
    database_url: str | None
    redis_url: str | None

    @property
    def logs(self) -> Path:
        """The directory of every part's log."""
        return self.state / "logs"


@dataclass(frozen=True, slots=True)
class Running:
    """The started stack; `watched` are the processes it cannot be without.

    `tells_changes`: the database tells the proxy what is written to it directly.
    """

    database_url: str
    redis_url: str | None
    backend: BackendServer
    proxy: ProxyServer
    watched: tuple[ManagedProcess, ...]
    tells_changes: bool = False


class Stopped(BaseException):
    """Somebody asked the stack to stop."""


def run(plan: Plan, say: Say, welcome: Callable[[Running], None]) -> NoReturn:
    """Start everything and serve; ends with Stopped on a signal, or StartError where a part fails.

    Either way everything that was started has ended when this returns.
    """
    with _stopping_on_signals(), ExitStack() as stack:
        try:
            for flag, port in (
                ("--backend-port", plan.backend_port),
                ("--proxy-port", plan.proxy_port),
                ("--admin-port", plan.admin_port),
            ):
                _refuse_taken(flag, port)
            stack.enter_context(_only_one(plan.state))
            running = start(plan, stack, say)
            welcome(running)
            _watch(running.watched)
        except BaseException:
            # From here on the stack stops; an impatient second Ctrl-C must not leave half of it behind.
            _ignore_stop_signals()
            raise


def start(plan: Plan, stack: ExitStack, say: Say) -> Running:
    """Start the parts in order; leaving `stack` stops them in the opposite order."""
    servers: list[ManagedProcess] = []
    database_url = plan.database_url or _start_postgres(plan, stack, say, servers)
    redis_url = plan.redis_url or _start_redis(plan, stack, say, servers)
    for step in preparation(database_url, plan.size):
        say(f"preparing the {step.name}")
        run_step(step, plan.logs, show_output=step.name == "data")
    changes: dict[str, str] = {}
    if plan.database_url is None:  # somebody else's database is left as it is
        say("preparing the changes that the database tells")
        run_step(telling(database_url), plan.logs)
        changes = changes_environment(database_url)
    backend = BackendServer(database_url, plan.logs, port=plan.backend_port)
    backend.process.launch.log_path.unlink(missing_ok=True)
    stack.callback(backend.stop)
    say("starting the backend")
    backend.start()
    proxy = ProxyServer(_proxy_options(plan, backend.url, redis_url, changes), plan.logs)
    proxy.process.launch.log_path.unlink(missing_ok=True)
    stack.callback(proxy.stop)
    say("starting the proxy")
    proxy.start()
    if changes:  # until they are followed, routes that name the source answer nothing from the store
        proxy.process.wait_ready(proxy.hears_changes)
    return Running(database_url, redis_url, backend, proxy, (*servers, backend.process, proxy.process), bool(changes))


def _start_postgres(plan: Plan, stack: ExitStack, say: Say, servers: list[ManagedProcess]) -> str:
    say("starting PostgreSQL")
    postgres = PostgresServer(plan.state / "postgres", durable=True)
    stack.callback(postgres.stop)
    postgres.start()
    servers.append(postgres.process)
    return postgres.ensure_database("etter")


def _start_redis(plan: Plan, stack: ExitStack, say: Say, servers: list[ManagedProcess]) -> str | None:
    if find_redis_binary() is None:
        say(f"{NO_REDIS}; the cache lives in the proxy's memory")
        return None
    say("starting Redis")
    # It starts empty each time: a cache may forget, and so the first curl line is always a miss.
    redis = RedisServer(plan.state / "redis")
    stack.callback(redis.stop)
    redis.start()
    servers.append(redis.process)
    return redis.url


def _proxy_options(plan: Plan, upstream: str, redis_url: str | None, env: dict[str, str]) -> ProxyOptions:
    return ProxyOptions(
        upstream=upstream,
        policies=SHIPPED_POLICIES,
        redis_url=redis_url,
        workers=plan.workers,
        port=plan.proxy_port,
        admin_port=plan.admin_port,
        env=proxy_environment() | env,
    )


def _watch(watched: tuple[ManagedProcess, ...]) -> NoReturn:
    while True:
        for process in watched:
            if not process.running:
                name, code = process.launch.name, process.exit_code
                raise StartError(f"{name} ended by itself (exit code {code}): {process.last_line()}")
        time.sleep(_WATCH_EVERY_S)


def _refuse_taken(flag: str, port: int) -> None:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            text = f"port {port} is taken ({error.strerror}): stop what listens there, or choose another with {flag}"
            raise StartError(text) from error


@contextmanager
def _only_one(state: Path) -> Iterator[None]:
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StartError(f"another run uses {state}: stop it, or choose another with --state") from error
        yield


@contextmanager
def _stopping_on_signals() -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        _ignore_stop_signals()
        raise Stopped

    before = {number: signal.signal(number, stop) for number in _STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore_stop_signals() -> None:
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
