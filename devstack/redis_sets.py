"""A real three-node Cluster and a real Sentinel set, made of redis-server processes."""

from __future__ import annotations

import signal
from pathlib import Path

import redis

from devstack.process import Launch, ManagedProcess, StartError, free_ports, wait_until
from devstack.redis import RedisServer, find_redis_binary

SERVICE = "primary"
SLOTS = 16384
BUS = 10_000
"""How far the port for the other nodes of a Cluster is above that for clients."""


class RedisCluster:
    """Three masters that share the slots. With `tls`, the flags of their certificate, they also speak TLS."""

    def __init__(self, directory: Path, *, tls: tuple[str, ...] = ()) -> None:
        args = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-require-full-coverage", "no")
        ports = free_ports(6 if tls else 3, partner=BUS)
        self._scheme, self._ports = ("rediss", ports[3:]) if tls else ("redis", ports)
        secure = [("--tls-port", str(port), "--tls-cluster", "yes", *tls) if tls else () for port in self._ports]
        self.servers = [
            RedisServer(directory / f"cluster-{port}", port=port, extra_args=(*args, *more))
            for port, more in zip(ports, secure, strict=False)
        ]

    @property
    def url(self) -> str:
        """The URL that names every node."""
        return f"{self._scheme}+cluster://" + ",".join(f"127.0.0.1:{port}" for port in self._ports)

    def start(self) -> None:
        """Start the nodes, introduce them, and wait until each knows every slot."""
        for server in self.servers:
            server.start()
        share = SLOTS // len(self.servers) + 1
        for number, server in enumerate(self.servers):
            with server.client() as client:
                slots = range(number * share, min(SLOTS, (number + 1) * share))
                client.execute_command("CLUSTER", "ADDSLOTS", *slots)
                if number:
                    meet = ("CLUSTER", "MEET", "127.0.0.1", self._ports[0])
                    client.execute_command(*meet)
        if not wait_until(lambda: all(map(_knows_all, self.servers)), timeout_s=20):
            raise StartError("the Cluster did not form")

    def flush(self) -> None:
        """Empty it."""
        for server in self.servers:
            server.flush()

    def stop(self) -> None:
        """Stop the nodes."""
        for server in self.servers:
            server.stop()


def _knows_all(server: RedisServer) -> bool:
    with server.client() as client:
        told: bytes = client.execute_command("CLUSTER", "INFO")
    return b"cluster_state:ok" in _raw(told) and b"cluster_slots_ok:16384" in _raw(told)


def _raw(reply: object) -> bytes:
    if isinstance(reply, dict):
        return b"\r\n".join(f"{key}:{value}".encode() for key, value in reply.items())
    return reply if isinstance(reply, bytes) else str(reply).encode()


class SentinelSet:
    """A master, a replica, and three Sentinels that agree by two."""

    def __init__(self, directory: Path) -> None:
        master, replica, *watchers = free_ports(5)
        self.master = RedisServer(directory / "master", port=master)
        follow = ("--replicaof", "127.0.0.1", str(master))
        self.replica = RedisServer(directory / "replica", port=replica, extra_args=follow)
        self._ports = watchers
        self._watchers = [self._watcher(directory / f"sentinel-{port}", port) for port in watchers]

    def _watcher(self, directory: Path, port: int) -> ManagedProcess:
        directory.mkdir(parents=True, exist_ok=True)
        config = directory / "sentinel.conf"
        config.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {directory}\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {self.master.port} 2\n"
            f"sentinel down-after-milliseconds {SERVICE} 800\n"
            f"sentinel failover-timeout {SERVICE} 5000\n",
            "ascii",
        )
        binary = find_redis_binary()
        argv = [str(binary), str(config), "--sentinel"]
        return ManagedProcess(Launch(f"Sentinel {port}", argv, directory / "log", stop_signal=signal.SIGTERM))

    @property
    def url(self) -> str:
        """The URL that names every Sentinel and the service."""
        return "redis+sentinel://" + ",".join(f"127.0.0.1:{port}" for port in self._ports) + f"/{SERVICE}"

    def start(self) -> None:
        """Start all, and wait until the Sentinels know each other and the replica."""
        self.master.start()
        self.replica.start()
        for watcher in self._watchers:
            watcher.start()
        if not wait_until(lambda: all(map(self._sees_all, self._ports)), timeout_s=20):
            raise StartError("the Sentinels did not find each other")

    def _sees_all(self, port: int) -> bool:
        try:
            with redis.Redis(host="127.0.0.1", port=port, socket_timeout=2) as client:
                state = client.sentinel_master(SERVICE)
        except redis.RedisError:
            return False
        return bool(state["num-slaves"] == 1 and state["num-other-sentinels"] == 2)

    def stop(self) -> None:
        """Stop all."""
        for watcher in self._watchers:
            watcher.stop()
        self.replica.stop()
        self.master.stop()
