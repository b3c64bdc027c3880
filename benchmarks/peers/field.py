"""The contenders of one run, started when they are first needed and stopped at its end."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.builds import EARLIER, build_of, why_not
from benchmarks.peers.certificate import SECURE
from benchmarks.peers.machine import Cores, on_core
from benchmarks.peers.servers import FastApi, Nginx, Origin, Server, Varnish, Veneer, Way
from benchmarks.peers.tools import fastapi_ready, find
from benchmarks.peers.wrk import NUMBERS_A_WINDOW, Shot, Window, shoot
from devstack.redis import RedisServer, find_redis_binary

_SHARED = frozenset(f"{build}-{form}" for build in ("veneer", "earlier") for form in ("shared", "shared-2", "l2"))
"""Servers over Redis: this Veneer or an earlier one, with one worker or two, or with hardly any memory."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How a run is made. `directory` holds what servers write; `files_most` is how many files they may open."""

    directory: Path
    cores: Cores
    rounds: int
    seconds: int
    files_most: int
    count_instructions: bool


class Field:
    """Opens servers by name. Use as a context manager."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.origin = Origin(setting.directory)
        self._exit = ExitStack()
        self._open: dict[str, Server] = {}
        self._numbers = itertools.count(1)

    def __enter__(self) -> Field:
        """Start the origin."""
        self.origin.start(self.setting.cores.load)
        self._exit.callback(self.origin.stop)
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Stop everything, the newest first."""
        self._exit.close()

    def missing(self, name: str) -> str | None:
        """Why a server cannot be had; None when it can."""
        needs: dict[str, tuple[bool, str]] = {
            "nginx": (find("nginx") is not None, "nginx is not installed"),
            "varnish": (find("varnishd") is not None, "Varnish is not installed"),
            "varnish-log": (find("varnishncsa") is not None, "Varnish is not installed"),
            "fastapi": (fastapi_ready(), "the FastAPI environment is not there"),
        }
        there, why = needs.get(name, (True, ""))
        if not there:
            return why
        if name in _SHARED and find_redis_binary() is None:
            return "there is no Redis"
        return why_not(EARLIER) if name.startswith("earlier") else None

    def server(self, name: str) -> Server:
        """The running server of that name."""
        if name not in self._open:
            self.adopt(name, self._make(name))
        return self._open[name]

    def adopt(self, name: str, server: Server) -> Server:
        """Start a server and stop it at the end."""
        server.start(self.setting.cores.server)
        self._exit.callback(server.stop)
        self._open[name] = server
        return server

    def shoot(self, server: Server, port: str, requests: Path, connections: int, seconds: int | None = None) -> Window:
        """One measurement with wrk; the server's logs are emptied after it."""
        setting = self.setting
        window = shoot(
            Shot(
                port=server.ports[port],
                requests=requests,
                connections=connections,
                seconds=seconds or setting.seconds,
                pids=server.pids,
                origin_port=self.origin.port,
                load_core=setting.cores.load,
                first_number=next(self._numbers) * NUMBERS_A_WINDOW,
                count_instructions=setting.count_instructions,
                scheme="https" if port == SECURE else "http",
            )
        )
        for log in server.logs:
            if log.exists():
                log.write_bytes(b"")
        return window

    def requests_file(self, name: str, requests: Sequence[bytes]) -> Path:
        """A file that wrk's script reads."""
        path = self.setting.directory / f"{name.replace(' ', '-').replace(',', '')}.requests"
        path.write_bytes(b"\0".join(requests))
        return path

    def _make(self, name: str) -> Server:
        port, directory = self.origin.port, self.setting.directory / name
        makers: dict[str, Callable[[], Server]] = {
            "veneer": lambda: Veneer(port, directory),
            "nginx": lambda: Nginx(port, directory, self.setting.files_most),
            "varnish": lambda: Varnish(port, directory, logged=False),
            "varnish-log": lambda: Varnish(port, directory, logged=True),
            "fastapi": lambda: FastApi(directory),
        }
        return self._shared(name) if name in _SHARED else makers[name]()

    def _shared(self, name: str) -> Server:
        """Veneer, this one or an earlier one, with a Redis of its own."""
        build = build_of(EARLIER) if name.startswith("earlier") else None
        way = Way(redis_url=self._redis_url(name), workers=2 if name.endswith("-2") else None, build=build)
        memory = "1MB" if name.endswith("-l2") else "512MB"
        return Veneer(self.origin.port, self.setting.directory / name, memory=memory, way=way)

    def _redis_url(self, name: str) -> str:
        """A Redis beside the load: it is not what is measured."""
        redis = RedisServer(self.setting.directory / f"redis-of-{name}")
        with on_core(self.setting.cores.load):
            redis.start()
        self._exit.callback(redis.stop)
        return redis.url
