"""The same steps against a fresh server, straight and through Veneer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from devstack.process import Launch, ManagedProcess, free_port, port_is_open
from devstack.proxy import ProxyOptions, ProxyServer
from tests.support.client import Answer, fetch

T = TypeVar("T")


class Serve(Protocol):
    """Says how the server is started: on this port of 127.0.0.1, with this empty directory for its data."""

    def __call__(self, port: int, directory: Path, /) -> Launch: ...


@dataclass(frozen=True, slots=True)
class Site:
    """Where the steps find the server on one of the two ways.

    `directory` is for what the client keeps; the server's own is `served`.
    """

    url: str
    port: int
    directory: Path
    proxy: ProxyServer | None

    @property
    def authority(self) -> str:
        """Host and port as a URL names them."""
        return f"127.0.0.1:{self.port}"

    @property
    def served(self) -> Path:
        """The server's directory."""
        return self.directory.parent / "server"

    def get(self, path: str, **fields: str) -> Answer:
        """One plain GET; underscores in the fields' names stand for hyphens."""
        return fetch(self.url + path, headers={name.replace("_", "-"): value for name, value in fields.items()})


@dataclass(slots=True)
class Both:
    """Starts a server twice, each time with nothing from before, and runs the steps straight and then through.

    `policies` is the text of a policy file; without one Veneer runs as it does out of the box.
    """

    directory: Path
    policies: str | None = None
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    started: list[ManagedProcess] = field(default_factory=list[ManagedProcess])

    def run(self, serve: Serve, steps: Callable[[Site], T]) -> tuple[T, T]:
        """What the steps gave straight, and what they gave through."""
        return self.straight(serve, steps), self.through(serve, steps)

    def straight(self, serve: Serve, steps: Callable[[Site], T]) -> T:
        """Run the steps against the server itself."""
        directory = self._directory("straight")
        port = self._served(serve, directory)
        try:
            return steps(Site(f"http://127.0.0.1:{port}", port, directory / "client", None))
        finally:
            self.stop()

    def through(self, serve: Serve, steps: Callable[[Site], T]) -> T:
        """Run the steps against Veneer before a new server."""
        directory = self._directory("through")
        port = self._served(serve, directory)
        file = directory / "policies.yaml"
        if self.policies is not None:
            file.write_text(self.policies, "utf-8")
        options = ProxyOptions(f"http://127.0.0.1:{port}", file if self.policies is not None else None)
        proxy = ProxyServer(options, directory)
        self.started.append(proxy.process)
        try:
            proxy.start()
            return steps(Site(proxy.url, proxy.port, directory / "client", proxy))
        finally:
            self.stop()

    def stop(self) -> None:
        """End what was started, the last first."""
        while self.started:
            self.started.pop().stop()

    def _directory(self, way: str) -> Path:
        directory = self.directory / way
        for part in ("server", "client"):
            (directory / part).mkdir(parents=True, exist_ok=True)
        return directory

    def _served(self, serve: Serve, directory: Path) -> int:
        port = free_port()
        server = ManagedProcess(serve(port, directory / "server"))
        self.started.append(server)
        server.start()
        server.wait_ready(lambda: port_is_open(port))
        return port


def launch(name: str, argv: Sequence[str], directory: Path, env: Mapping[str, str] | None = None) -> Launch:
    """A server of the test, its output in its directory."""
    return Launch(name, argv, directory / f"{name}.log", dict(env or {}))


def facts(text: str) -> object:
    """What a client's script printed: its last line, as JSON."""
    return msgspec.json.decode(text.strip().splitlines()[-1])
