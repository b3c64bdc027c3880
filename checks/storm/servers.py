"""What stands in front of the backend: Veneer, nginx and HAProxy, set alike."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Protocol

from checks.coherence.http import Connection
from checks.storm.backend import Mode
from devstack.process import Launch, ManagedProcess, free_port, port_is_open, wait_until
from devstack.proxy import ProxyOptions, ProxyServer

FILES = Path(__file__).parent / "files"
SBIN = "/usr/sbin"
VENEER = "veneer"


class Contender(Protocol):
    """A proxy under test."""

    @property
    def name(self) -> str:
        """As the table calls it."""
        ...

    @property
    def ports(self) -> Sequence[int]:
        """Where it listens: one port for each node."""
        ...

    def start(self) -> None:
        """Start and wait until it answers."""
        ...

    def stop(self) -> None:
        """Stop it."""
        ...


class Listening(Protocol):
    """What a contender may be put in front of."""

    @property
    def port(self) -> int:
        """Where it listens."""
        ...


class Backend:
    """The backend that gets into trouble, started by the command `under`."""

    def __init__(self, directory: Path, number: int = 0, under: tuple[str, ...] = ()) -> None:
        self.port = free_port()
        argv = [*under, sys.executable, "-m", "checks.storm.backend", str(self.port)]
        self.process = ManagedProcess(Launch("backend", argv, directory / f"backend-{number}.log"))

    def start(self) -> None:
        """Start and wait for its port."""
        self.process.start()
        self.process.wait_ready(lambda: port_is_open(self.port))

    def stop(self) -> None:
        """End it, also where it stands still; returns when the port is free."""
        self.process.kill()  # stopped processes end as well
        wait_until(lambda: not port_is_open(self.port), timeout_s=5)

    async def become(self, mode: Mode = Mode.WELL, *, places: int = 0) -> None:
        """Get into trouble, or out of it. Straight from here, past every proxy."""
        connection = Connection(self.port)
        await connection.ask("POST", "/-/mode", f'{{"mode": "{mode.value}", "places": {places}}}'.encode())
        connection.close()

    def restart(self) -> None:
        """Be replaced in order."""
        self.process.send(signal.SIGHUP)

    def signal_all(self, number: signal.Signals) -> None:
        """Signal the process that serves and the one that minds it."""
        os.killpg(self.process.pid, number)

    def crash(self) -> None:
        """Be killed and replaced."""
        self.process.send(signal.SIGUSR1)


@dataclass(frozen=True, slots=True)
class Setting:
    """What is not as it is by default. `read_timeout_s` holds for all contenders, the rest for Veneer.

    `upstream`, `routes` and `top` are YAML of the policy.
    """

    read_timeout_s: int = 60
    upstream: str = ""
    routes: str = ""
    top: str = ""
    redis_urls: Sequence[str | None] = (None,)
    workers: int | None = None
    under: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])


BY_DEFAULT = Setting()


class Veneer:
    """One node for each way to Redis; none is one node alone."""

    name = VENEER

    def __init__(self, targets: Sequence[int], directory: Path, setting: Setting = BY_DEFAULT) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        policies = directory / "policies.yaml"
        policies.write_text(_policy(targets, setting), "utf-8")
        self.nodes = [
            ProxyServer(
                ProxyOptions(
                    upstream=None,
                    policies=policies,
                    redis_url=url,
                    workers=setting.workers,
                    under=setting.under,
                    env=dict(setting.env),
                ),
                directory,
                name=f"veneer-{number}",
            )
            for number, url in enumerate(setting.redis_urls)
        ]
        self.ports = [node.port for node in self.nodes]

    def start(self) -> None:
        """Start all nodes."""
        for node in self.nodes:
            node.start()

    def stop(self) -> None:
        """Drain and stop."""
        for node in self.nodes:
            node.stop()


def _policy(targets: Sequence[int], setting: Setting) -> str:
    upstream = f"url: http://127.0.0.1:{targets[0]}"
    if len(targets) > 1:
        upstream = "targets: [" + ", ".join(f"{{url: http://127.0.0.1:{port}}}" for port in targets) + "]"
    more = f", read_timeout: {setting.read_timeout_s}s" + (f", {setting.upstream}" if setting.upstream else "")
    routes = f"routes:\n{setting.routes}" if setting.routes else ""
    return f"version: 1\n{setting.top}upstreams:\n  app: {{{upstream}{more}}}\n{routes}"


class Nginx:
    """With a cache that serves stale responses."""

    name = "nginx"

    def __init__(self, targets: Sequence[int], directory: Path, setting: Setting = BY_DEFAULT) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.ports = [free_port()]
        text = Template((FILES / "nginx.conf").read_text("utf-8")).substitute(
            port=self.ports[0],
            directory=directory,
            read_timeout_s=setting.read_timeout_s,
            targets="\n".join(f"        server 127.0.0.1:{port} max_conns=256;" for port in targets),
            user_line=f"user {getpass.getuser()};" if os.geteuid() == 0 else "",
        )
        path = directory / "nginx.conf"
        path.write_text(text, "utf-8")
        argv = [_found("nginx"), "-p", str(directory), "-c", str(path)]
        self._process = ManagedProcess(Launch(self.name, argv, directory / "nginx.log"))

    def start(self) -> None:
        """Start and wait for the port."""
        self._process.start()
        self._process.wait_ready(lambda: port_is_open(self.ports[0]))

    def stop(self) -> None:
        """Stop at once."""
        self._process.stop()


class Haproxy:
    """With a queue and another try after a refused connection, as most run it."""

    name = "haproxy"

    def __init__(self, targets: Sequence[int], directory: Path, setting: Setting = BY_DEFAULT) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.ports = [free_port()]
        text = Template((FILES / "haproxy.cfg").read_text("utf-8")).substitute(
            port=self.ports[0],
            read_timeout_s=setting.read_timeout_s,
            targets="\n".join(
                f"    server app{n} 127.0.0.1:{port} maxconn 256 check inter 1s" for n, port in enumerate(targets)
            ),
        )
        path = directory / "haproxy.cfg"
        path.write_text(text, "utf-8")
        self._process = ManagedProcess(
            Launch(self.name, [_found("haproxy"), "-db", "-f", str(path)], directory / "haproxy.log")
        )

    def start(self) -> None:
        """Start and wait for the port."""
        self._process.start()
        self._process.wait_ready(lambda: port_is_open(self.ports[0]))

    def stop(self) -> None:
        """Stop at once."""
        self._process.kill()


def _found(program: str) -> str:
    return shutil.which(program) or shutil.which(program, path=SBIN) or program


def peers_there() -> list[type[Nginx | Haproxy]]:
    """The peers that this machine has."""
    return [peer for peer in (Nginx, Haproxy) if shutil.which(_found(peer.name)) is not None]
