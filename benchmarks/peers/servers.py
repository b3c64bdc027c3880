"""The contenders as processes, each on the server's core, with everything on that their names do not deny."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from string import Template
from typing import Protocol

from benchmarks.peers.bodies import documents
from benchmarks.peers.builds import Build
from benchmarks.peers.certificate import SECURE, certificate_in
from benchmarks.peers.machine import on_core
from benchmarks.peers.requests import SECRET
from benchmarks.peers.tools import ENVIRONMENT, find
from devstack.backend import answers
from devstack.process import Launch, ManagedProcess, free_port, port_is_open
from devstack.proxy import ProxyOptions, ProxyServer

FILES = Path(__file__).parent / "files"
SECRET_VARIABLE = "BENCH_JWT_SECRET"
IDENTITIES = f"identities: {{api: {{jwt: {{keys: [{{secret_env: {SECRET_VARIABLE}}}], values: {{tenant: tenant}}}}}}}}"
TENANTS = '  - {name: tenants, match: {path: "/small/tenants/{rest:path}"}, cache: {share: identity.tenant}}'
"""What earlier builds do not know."""


class Server(Protocol):
    """A contender."""

    @property
    def ports(self) -> Mapping[str, int]:
        """Where it listens, by what is on there."""
        ...

    @property
    def pids(self) -> list[int]:
        """Its processes; their children count too."""
        ...

    @property
    def logs(self) -> list[Path]:
        """What it writes, to be emptied between measurements."""
        ...

    def start(self, core: int) -> None:
        """Start on one core and wait until it answers."""
        ...

    def stop(self) -> None:
        """Stop it."""
        ...


@dataclass(frozen=True, slots=True)
class Way:
    """How Veneer is run: over which Redis, with how many workers, which build, under a command that watches it."""

    under: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    redis_url: str | None = None
    workers: int | None = None
    build: Build | None = None


ONE_WORKER = Way()


class Veneer:
    """With JSON log lines, metrics, request IDs, rate limits, compression and Cache-Status."""

    def __init__(
        self,
        origin_port: int,
        directory: Path,
        *,
        memory: str = "512MB",
        routes_before: int = 0,
        tags: int = 0,
        way: Way = ONE_WORKER,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._secure_port = 0
        policies = directory / "policies.yaml"
        tagged = f", cache: {{tags: [{', '.join(f'tag{number}' for number in range(tags))}]}}" if tags else ""
        before = [f'  - {{name: r{n}, match: {{path: "/area{n}/{{id}}/items"}}}}' for n in range(routes_before)]
        text = Template((FILES / "policies.yaml").read_text("utf-8"))
        filled = text.substitute(
            memory=memory,
            identities=IDENTITIES if way.build is None else "",
            listeners=self._listeners(directory) if way.build is None else "",
            more_routes="\n".join([*before, *([TENANTS] if way.build is None else [])]),
            more_cache=tagged,
        )
        policies.write_text(filled, "utf-8")
        upstream = f"http://127.0.0.1:{origin_port}"
        env = {SECRET_VARIABLE: SECRET, **way.env, **(way.build.env if way.build else {})}
        options = ProxyOptions(
            upstream, policies=policies, redis_url=way.redis_url, workers=way.workers, under=way.under, env=env
        )
        if way.build is not None:
            options = replace(options, program=way.build.program)
        self._proxy = ProxyServer(options, directory, name="veneer")

    def _listeners(self, directory: Path) -> str:
        """One with TLS, beside the port of all other cases. Earlier builds know none."""
        self._secure_port = free_port()
        certificate, key = certificate_in(directory)
        tls = f'{{certificate: "{certificate}", key: "{key}"}}'
        return f'listeners: [{{address: "127.0.0.1:{self._secure_port}", tls: {tls}}}]'

    @property
    def ports(self) -> Mapping[str, int]:
        """One port for all, and one with TLS."""
        return {"full": self._proxy.port, SECURE: self._secure_port}

    @property
    def pids(self) -> list[int]:
        """The process."""
        return [self._proxy.process.pid]

    @property
    def logs(self) -> list[Path]:
        """Its standard output."""
        return [self._proxy.process.launch.log_path]

    def start(self, core: int) -> None:
        """Start and wait for its health."""
        with on_core(core):
            self._proxy.start()

    def stop(self) -> None:
        """Drain and stop."""
        self._proxy.stop()


class Nginx:
    """One worker; the ports are `full` (and `secure`), `cache` (nothing but it), `pass` (everything on) and `plain`."""

    def __init__(self, origin_port: int, directory: Path, files_most: int) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self.ports: Mapping[str, int] = {name: free_port() for name in ("full", "cache", "pass", "plain", SECURE)}
        certificate, key = certificate_in(directory)
        text = Template((FILES / "nginx.conf").read_text("utf-8")).substitute(
            {f"{name}_port": port for name, port in self.ports.items()},
            directory=directory,
            certificate=certificate,
            key=key,
            origin_port=origin_port,
            files_most=files_most,
            open_files_most=min(20_000, files_most // 3),
            user_line=f"user {getpass.getuser()};" if os.geteuid() == 0 else "",
        )
        (directory / "nginx.conf").write_text(text, "utf-8")
        argv = [find("nginx") or "nginx", "-p", str(directory), "-c", str(directory / "nginx.conf")]
        self._process = ManagedProcess(Launch("nginx", argv, directory / "nginx.log"))

    @property
    def pids(self) -> list[int]:
        """The master; its worker and cache keeper are its children."""
        return [self._process.pid]

    @property
    def logs(self) -> list[Path]:
        """The access log."""
        return [self._directory / "access.log"]

    def start(self, core: int) -> None:
        """Start and wait for the port."""
        with on_core(core):
            self._process.start()
        self._process.wait_ready(lambda: port_is_open(self.ports["full"]))

    def stop(self) -> None:
        """Stop at once."""
        self._process.stop()


class Varnish:
    """Malloc storage, default threads, its log in shared memory; written out by varnishncsa where `logged`."""

    def __init__(self, origin_port: int, directory: Path, *, logged: bool) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory, self._logged = directory, logged
        self.ports: Mapping[str, int] = {"full": free_port()}
        vcl = directory / "varnish.vcl"
        vcl.write_text(
            Template((FILES / "varnish.vcl").read_text("utf-8")).substitute(origin_port=origin_port), "utf-8"
        )
        work = directory / "work"
        argv = [find("varnishd") or "varnishd", "-F", "-n", str(work), "-f", str(vcl), "-s", "malloc,1g", "-j", "none"]
        argv += ["-a", f"127.0.0.1:{self.ports['full']}", "-p", "timeout_idle=3600", "-p", "listen_depth=4096"]
        self._process = ManagedProcess(Launch("varnish", argv, directory / "varnish.log"))
        line = '{"time":"%t","id":"%{X-Request-ID}o","client":"%h","method":"%m","path":"%U","query":"%q","status":%s,'
        line += '"bytes":%b,"us":%D,"cache":"%{Varnish:hitmiss}x"}'
        log = ["varnishncsa", "-n", str(work), "-F", line, "-w", str(directory / "access.log")]
        self._log = ManagedProcess(Launch("varnishncsa", log, directory / "varnishncsa.log"))

    @property
    def pids(self) -> list[int]:
        """Manager (its worker is its child) and log writer."""
        return [self._process.pid, *([self._log.pid] if self._logged else [])]

    @property
    def logs(self) -> list[Path]:
        """What varnishncsa writes."""
        return [self._directory / "access.log"]

    def start(self, core: int) -> None:
        """Start and wait for the port."""
        with on_core(core):
            self._process.start()
            self._process.wait_ready(lambda: port_is_open(self.ports["full"]))
            if self._logged:
                self._log.start()

    def stop(self) -> None:
        """Stop the log writer and then Varnish."""
        if self._logged:
            self._log.stop()
        self._process.stop()


class FastApi:
    """FastAPI with fastapi-cache2, slowapi and GZipMiddleware on uvicorn with uvloop and httptools; no access log."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.ports: Mapping[str, int] = {"full": free_port()}
        body = directory / "small.json"
        body.write_bytes(documents()["small"].body)
        argv = [
            str(ENVIRONMENT / "bin" / "python"),
            str(FILES / "fastapi_service.py"),
            str(self.ports["full"]),
            str(body),
        ]
        self._process = ManagedProcess(Launch("FastAPI", argv, directory / "fastapi.log"))

    @property
    def pids(self) -> list[int]:
        """The process."""
        return [self._process.pid]

    @property
    def logs(self) -> list[Path]:
        """Nothing worth emptying."""
        return []

    def start(self, core: int) -> None:
        """Start and wait for an answer."""
        with on_core(core):
            self._process.start()
        self._process.wait_ready(lambda: answers(f"http://127.0.0.1:{self.ports['full']}/small/ready"))

    def stop(self) -> None:
        """Stop it."""
        self._process.stop()


class Origin:
    """The origin on the load's core."""

    def __init__(self, directory: Path) -> None:
        argv = [sys.executable, "-m", "benchmarks.peers.origin"]
        self.process = ManagedProcess(Launch("origin", argv, directory / "origin.log"))

    def start(self, core: int) -> None:
        """Start and wait until it says its port."""
        with on_core(core):
            self.process.start()
        self.process.wait_ready(lambda: self.process.last_line().isdigit())

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.process.last_line())

    def stop(self) -> None:
        """Stop it."""
        self.process.stop()
