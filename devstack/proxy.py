"""Veneer as a process: start, wait until ready, read its log, reload, purge, stop, kill."""

from __future__ import annotations

import signal
import sys
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from devstack.backend import answers
from devstack.process import ROOT, Launch, ManagedProcess, free_port

SHIPPED_POLICIES = ROOT / "policies.yaml"
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class _Source(msgspec.Struct):
    state: str
    lag_s: float | None


class _Changes(msgspec.Struct):
    sources: list[_Source]


@dataclass(frozen=True, slots=True)
class ProxyOptions:
    """The flags of `python -m veneer serve` that a test or a run chooses; None leaves a flag away.

    `program` is the Veneer that runs. `under` is a command that runs the proxy as its own child or in its own process:
    a profiler.
    """

    upstream: str | None
    policies: Path | None = None
    redis_url: str | None = None
    workers: int | None = None
    log_format: str = "json"
    port: int | None = None
    admin_port: int | None = None
    env: dict[str, str] = field(default_factory=dict[str, str])
    under: tuple[str, ...] = ()
    program: tuple[str, ...] = (sys.executable, "-m", "veneer")


class ProxyServer:
    """One proxy with its admin port, both on 127.0.0.1; its output is the log."""

    def __init__(self, options: ProxyOptions, directory: Path, *, name: str = "proxy") -> None:
        self.port = options.port or free_port()
        self.admin_port = options.admin_port or free_port()
        argv = [*options.under, *options.program, "serve"]
        argv += ["--upstream", options.upstream] if options.upstream else []
        argv += ["--listen", f"127.0.0.1:{self.port}", "--admin", f"127.0.0.1:{self.admin_port}"]
        argv += ["--policies", str(options.policies)] if options.policies else []
        argv += ["--redis", options.redis_url] if options.redis_url else []
        argv += ["--workers", str(options.workers)] if options.workers else []
        argv += ["--log-format", options.log_format]
        self.process = ManagedProcess(Launch(name, argv, directory / f"{name}.log", options.env))

    @property
    def url(self) -> str:
        """The proxy's base URL, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def admin_url(self) -> str:
        """The admin port's base URL, without a slash at the end."""
        return f"http://127.0.0.1:{self.admin_port}"

    def start(self) -> None:
        """Start and wait until the admin port reports health."""
        self.process.start()
        self.process.wait_ready(lambda: answers(f"{self.admin_url}/health"))

    def hears_changes(self) -> bool:
        """Whether every source of changes is followed, and has told how late it is."""
        try:
            with _OPENER.open(f"{self.admin_url}/changes", timeout=2) as response:
                told = msgspec.json.decode(response.read(), type=_Changes)
        except OSError:
            return False
        return all(one.state != "lost" and one.lag_s is not None for one in told.sources)

    def reload(self) -> None:
        """Ask for the policies to be read again (SIGHUP); the log says when it is done."""
        self.process.send(signal.SIGHUP)

    def stop(self) -> bool:
        """Stop in order (SIGTERM): the proxy drains first. Return whether it ended without being killed."""
        return self.process.stop(timeout_s=15)

    def kill(self) -> None:
        """End it as a crash would (SIGKILL)."""
        self.process.kill()

    def purge(self, selection: dict[str, object]) -> dict[str, object]:
        """POST /purge on the admin port; return the receipt."""
        request = urllib.request.Request(
            f"{self.admin_url}/purge",
            data=msgspec.json.encode(selection),
            headers={"Content-Type": "application/json"},
            method="POST",
        )
        with _OPENER.open(request, timeout=10) as response:
            return msgspec.json.decode(response.read(), type=dict[str, object])

    def log_records(self) -> list[dict[str, object]]:
        """The log's lines that are JSON objects, in order."""
        records: list[dict[str, object]] = []
        for line in self.process.log_lines():
            try:
                records.append(msgspec.json.decode(line, type=dict[str, object]))
            except msgspec.DecodeError:
                continue
        return records
