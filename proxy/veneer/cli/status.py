"""`veneer status`, `veneer health`, `veneer routes`, `veneer config`, `veneer stored`: one look at a running proxy."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from urllib.parse import quote, urlencode

import msgspec

from veneer.admin.standing import Standing
from veneer.admin.views import Config, Entries, Health, Routes, RouteView, StoredView
from veneer.cli.admin_client import BAD, FINE, client_of, run
from veneer.cli.tables import ago, size, table

_WELL = frozenset({"up", "unknown", "draining"})
"""States of a backend that are as they should be."""


def status_command(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """1 where something is not as it should be."""

    def command() -> int:
        standing = client_of(arguments, environment).get("/status", Standing)
        wrong = tuple(_wrong(standing))
        if arguments.json:
            _json(standing)
        else:
            sys.stdout.writelines(_status_lines(standing))
            sys.stdout.writelines(f"wrong: {what}\n" for what in wrong)
        return BAD if wrong else FINE

    return run(command)


def _wrong(standing: Standing) -> Iterator[str]:
    """What is not as it should be."""
    if standing.status != "ok":
        yield f"it is {standing.status}"
    if not standing.lease_held:
        yield "it has no lease: nothing that is stored is used"
    if standing.redis is not None and standing.redis.state != "reachable":
        yield f"Redis is {standing.redis.state}"
    for upstream in standing.upstreams:
        down = [f"{target.url} is {target.state}" for target in upstream.targets if target.state not in _WELL]
        yield from (f"upstream {upstream.name}: {what}" for what in down)
    reloads = {one.reload.error: f"worker {one.worker}" for one in standing.workers} or {standing.reload.error: "it"}
    for error, who in reloads.items():
        if error:
            yield f"{who} has refused the policy file: {error}"


def _status_lines(standing: Standing) -> Iterator[str]:
    yield f"veneer {standing.version}, {standing.status}, for {ago(standing.uptime_s)}\n"
    file = standing.file or "no policy file"
    yield (
        f"policy {standing.policy} from {file}; last reload: {standing.reload.result} {standing.reload.at}".rstrip()
        + "\n"
    )
    if standing.reload.needs_restart:
        yield f"restart for: {', '.join(standing.reload.needs_restart)}\n"
    if standing.redis is not None:
        redis = standing.redis
        yield f"redis {redis.url}: {redis.state}{f' ({redis.trouble})' if redis.trouble else ''}\n"
    rows = [
        (f"{upstream.name} {target.url}", target.state, f"{upstream.in_use}/{upstream.limit}", str(upstream.waiting))
        for upstream in standing.upstreams
        for target in upstream.targets
    ]
    yield from table(("upstream", "state", "at work", "waiting"), rows)
    leases = standing.nodes
    if leases is None:
        yield "nodes: Redis cannot be asked\n"
    elif standing.redis is not None:
        told = [
            (lease.node, "-" if lease.left_s is None else f"{lease.left_s:.1f} s", "this" if lease.here else "")
            for lease in leases
        ]
        yield from table(("node", "lease", ""), told)
    workers = [(one.worker, one.status, one.policy, one.reload.result) for one in standing.workers]
    if workers:
        yield from table(("worker", "status", "policy", "last reload"), workers)


def health_command(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """1 where it is degraded, not ready or not alive, whichever is asked for."""
    path = "/health" if arguments.live else "/ready" if arguments.ready else "/health/detailed"

    def command() -> int:
        health = client_of(arguments, environment).get(path, Health)
        if arguments.json:
            _json(health)
        else:
            sys.stdout.write(f"{health.status}\n")
            rows = [(name, part.status, f"{part.duration_ms:g} ms", part.detail) for name, part in health.parts.items()]
            sys.stdout.writelines(table(("part", "status", "took", "says"), rows) if rows else ())
        fine = {"ok", "draining"} if arguments.live else {"ok"}
        return FINE if health.status in fine else BAD

    return run(command)


def routes_command(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """0 once they are listed."""

    def command() -> int:
        routes = client_of(arguments, environment).get("/routes", Routes)
        if arguments.json:
            _json(routes)
        else:
            titles = ("route", "match", "cache", "ttl", "limits", "upstream", "tags", "invalidates", "at")
            sys.stdout.writelines(table(titles, [_route_row(route) for route in routes.routes]))
        return FINE

    return run(command)


def _route_row(route: RouteView) -> tuple[str, ...]:
    conditions = (*route.hosts, *(f"?{pair}" for pair in route.query), *route.headers, *route.cookies)
    match = " ".join((",".join(route.methods) or "any", route.path, *conditions))
    return (
        route.name, match, route.cache, route.ttl, ", ".join(route.limits), route.upstream,
        ", ".join(route.tags), ", ".join(route.invalidates), route.at,
    )  # fmt: skip


def config_command(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """0 once it is told."""
    target = "/config" + (f"?route={quote(arguments.route, safe='')}" if arguments.route else "")

    def command() -> int:
        config = client_of(arguments, environment).get(target, Config)
        if arguments.json:
            _json(config)
            return FINE
        sys.stdout.write(f"policy {config.policy} from {config.file or 'no file'}\n")
        every = arguments.all or arguments.route is not None
        rows = [(one.key, one.value, one.at or one.origin) for one in config.values if every or one.origin != "default"]
        sys.stdout.writelines(table(("key", "value", "said by"), rows) if rows else ("all is as by default\n",))
        return FINE

    return run(command)


def stored_command(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """1 where nothing is stored."""
    fields = [("header", f"{name}: {value}") for name, value in arguments.header]

    def command() -> int:
        found = client_of(arguments, environment).get(
            f"/entries?{urlencode([('url', arguments.url), *fields])}", Entries
        )
        if arguments.json:
            _json(found)
        else:
            sys.stdout.writelines(_stored_lines(found))
        return FINE if found.found else BAD

    return run(command)


def _stored_lines(found: Entries) -> Iterator[str]:
    reason = f" ({found.reason})" if found.reason else ""
    yield f"route {found.route}; a request would get: {found.decision}{reason}\n"
    if found.note:
        yield f"{found.note}\n"
    if found.entries:
        titles = (
            "where",
            "status",
            "state",
            "age",
            "fresh until",
            "stale until",
            "lifetime",
            "size",
            "tags",
            "varies by",
        )
        yield from table(titles, [_stored_row(entry) for entry in found.entries])
    if found.found > len(found.entries):
        yield f"and {found.found - len(found.entries)} more\n"
    if not found.complete:
        yield "memory holds too much to look at all of it\n"
    if found.redis == "away":
        yield "Redis could not be asked\n"


def _stored_row(entry: StoredView) -> tuple[str, ...]:
    where = f"{entry.store} {entry.worker}".strip()
    varies = ", ".join(f"{name}: {'none' if value is None else value}" for name, value in entry.vary.items())
    return (
        where, f"{entry.status}{f' ({entry.partial})' if entry.partial else ''}", entry.state, f"{entry.age_s:.0f} s",
        entry.fresh_until, entry.stale_until, entry.why, size(entry.bytes), ", ".join(entry.tags),
        f"{varies}{'' if entry.usable else ' (not for this request)'}",
    )  # fmt: skip


def _json(value: msgspec.Struct) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")
