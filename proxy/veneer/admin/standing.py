"""How a node stands: what GET /status tells."""

from __future__ import annotations

import msgspec


class ReloadView(msgspec.Struct, frozen=True):
    """The last time the policy was read again: "changed", "unchanged" or "refused"; "none" since the start.

    `error` says why a file was refused; the policy from before stays in force. `needs_restart` names sections that are
    read at start only.
    """

    result: str = "none"
    at: str = ""
    error: str = ""
    needs_restart: tuple[str, ...] = ()


class TargetView(msgspec.Struct, frozen=True):
    """A backend: "up", "down", "ejected", "resting", "draining", or "unknown" where nothing watches it."""

    url: str
    state: str


class UpstreamView(msgspec.Struct, frozen=True):
    """An upstream: requests under way of at most `limit`, how many wait, and how many were refused so far."""

    name: str
    targets: tuple[TargetView, ...]
    in_use: int
    limit: int
    waiting: int
    refused: int


class RedisView(msgspec.Struct, frozen=True):
    """Redis as the process has seen it. `trouble` is what the last renewal of the lease met with, "" for nothing."""

    url: str
    state: str
    trouble: str


class NodeLeaseView(msgspec.Struct, frozen=True):
    """A process that takes part in the log. `left_s` is what is left of its lease, None without Redis."""

    node: str
    left_s: float | None
    here: bool


class WorkerView(msgspec.Struct, frozen=True):
    """One worker of several: the policy that it has in force, and its last reload."""

    worker: str
    node: str
    status: str
    policy: str
    started: str
    reload: ReloadView


class Standing(msgspec.Struct, frozen=True):
    """The answer of GET /status.

    `nodes` is None where Redis could not be asked; `workers` is empty with one process.
    """

    status: str
    version: str
    node: str
    started: str
    uptime_s: float
    policy: str
    file: str
    reload: ReloadView
    lease_held: bool
    position: tuple[str, int]
    upstreams: tuple[UpstreamView, ...]
    redis: RedisView | None
    nodes: tuple[NodeLeaseView, ...] | None
    workers: tuple[WorkerView, ...] = ()
