"""`make identities`: generated exchanges through real proxies; fails on the first byte of another identity."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import uvloop

from checks.identities.asking import Asker, Findings, why_meaningless
from checks.identities.backend import Backend
from checks.identities.mutants import MUTANTS
from checks.identities.people import AUDIENCE, ISSUER, SECRETS, Crowd
from checks.identities.services import FETCHED_S, LASTS_S, TURN_S, ServiceConnection, Services
from devstack.process import StartError, free_port
from devstack.proxy import ProxyOptions, ProxyServer
from devstack.redis import RedisServer

ASKERS = 24
RELOAD_S = 4.0
ENVIRONMENT = {"FIRST_SECRET": SECRETS[0], "SECOND_SECRET": SECRETS[1]}
POLICIES = """\
version: 1
identities:
  api:
    jwt:
      keys: [{keys}, {{jwks: "http://127.0.0.1:{services}/keys", refresh: {fetched:g}s}}]
      issuer: "{issuer}"
      audience: {audience}
      values: {{tenant: company, user: sub}}
  asked:
    subrequest:
      url: http://127.0.0.1:{services}/who
      credentials: [Authorization]
      values: {{team: X-Team}}
      lasts: {lasts:g}s
defaults:
  cache: {{share: identity.tenant, ttl: 20s, stale_while_revalidate: 5s}}
routes:
  - {{name: user, match: {{path: "/user/{{n}}"}}, cache: {{share: [identity.tenant, identity.user]}}}}
  - name: tagged
    match: {{path: "/tagged/{{n}}"}}
    cache: {{tags: ["docs:{{identity.tenant}}"]}}
    invalidates: ["docs:{{identity.tenant}}"]
  - {{name: asked, match: {{path: "/asked/{{n}}"}}, cache: {{share: identity.team}}}}
  - {{name: rest, match: {{path: "/{{rest:path}}"}}}}
"""
FIRST, SECOND = "{secret_env: FIRST_SECRET}", "{secret_env: SECOND_SECRET}"
KEYS = (f"{FIRST}, {SECOND}", f"{SECOND}, {FIRST}", FIRST, f"{FIRST}, {SECOND}", f"{SECOND}, {FIRST}", SECOND)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m checks.identities", description=__doc__)
    parser.add_argument("--exchanges", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stores", choices=("memory", "redis"), default="redis", help="redis: two nodes (default)")
    parser.add_argument("--mutant", choices=sorted(MUTANTS), help="run wrong nodes until they are found out")
    return parser.parse_args()


def _policies(number: int, services: int) -> str:
    """The policy for the time being; `services` is the port where keys and credentials are known."""
    return POLICIES.format(
        keys=KEYS[number % len(KEYS)],
        issuer=ISSUER,
        audience=AUDIENCE,
        services=services,
        fetched=FETCHED_S,
        lasts=LASTS_S,
    )


async def _run(
    options: argparse.Namespace, nodes: list[ProxyServer], file: Path, upstream: int, known: int
) -> Findings:
    loop, findings, chance = asyncio.get_running_loop(), Findings(), random.Random(options.seed)
    services = Backend.services = Services(chance)
    server = await loop.create_server(Backend, "127.0.0.1", upstream, backlog=256)
    beside = await loop.create_server(partial(ServiceConnection, services), "127.0.0.1", known, backlog=256)
    await asyncio.gather(*[asyncio.to_thread(node.start) for node in nodes])
    crowd, ports = Crowd(chance, time.time(), services), [node.port for node in nodes]  # noqa: TID251
    async with asyncio.TaskGroup() as group:
        askers = [Asker(ports, crowd, chance, findings) for _ in range(ASKERS)]
        asking = [group.create_task(asker.run(options.exchanges)) for asker in askers]
        reloading = group.create_task(_reload(nodes, file, known))
        turning = group.create_task(_turn(services))
        await asyncio.wait(asking)
        reloading.cancel()
        turning.cancel()
    server.close()
    beside.close()
    return findings


async def _turn(services: Services) -> None:
    """Other published keys, and other credentials that are revoked, again and again."""
    while True:
        await asyncio.sleep(TURN_S)
        services.turn(time.time())  # noqa: TID251


async def _reload(nodes: list[ProxyServer], file: Path, known: int) -> None:
    """Other keys for all nodes, again and again."""
    number = 0
    while True:
        await asyncio.sleep(RELOAD_S)
        number += 1
        await asyncio.to_thread(file.write_text, _policies(number, known), "utf-8")
        for node in nodes:
            node.reload()


def _report(findings: Findings, seconds: float) -> int:
    asked = f"{findings.exchanges} exchanges in {seconds:.0f} s, {Backend.seen} reached the backend"
    sys.stdout.write(
        f"{asked}, {findings.failed} failed, {findings.own} had their own, {findings.judged_bytes} bytes judged\n"
    )
    sys.stdout.write(", ".join(f"{name}: {count}" for name, count in findings.results.most_common()) + "\n")
    for leak in findings.leaks:
        sys.stdout.write(f"LEAK: {leak}\n")
    if findings.leaks:
        return 1
    if (meaningless := why_meaningless(findings)) is not None:
        sys.stdout.write(f"FAILED: the run means nothing: {meaningless}\n")
        return 1
    sys.stdout.write("nobody got a byte of another identity\n")
    return 0


def main() -> int:
    """Run; the exit status is 0 only without leaks and with enough hits."""
    options = _arguments()
    program = ("veneer",) if options.mutant is None else ("checks.identities.mutants", options.mutant)
    with tempfile.TemporaryDirectory(prefix="veneer-identities-") as name:
        directory, upstream, known = Path(name), free_port(), free_port()
        file = directory / "policies.yaml"
        file.write_text(_policies(0, known), "utf-8")
        redis = RedisServer(directory / "redis") if options.stores == "redis" else None
        if redis is not None:
            redis.start()
        wanted = ProxyOptions(
            f"http://127.0.0.1:{upstream}",
            policies=file,
            redis_url=None if redis is None else redis.url,
            env=ENVIRONMENT,
            program=(sys.executable, "-m", *program),
        )
        nodes = [ProxyServer(wanted, directory, name=f"node-{n}") for n in range(1 if redis is None else 2)]
        began = time.monotonic()  # noqa: TID251
        try:
            findings = uvloop.run(_run(options, nodes, file, upstream, known))
        except StartError as error:
            sys.stderr.write(f"{error}\n")
            return 2
        finally:
            for node in nodes:
                node.stop()
            if redis is not None:
                redis.stop()
        return _report(findings, time.monotonic() - began)  # noqa: TID251


if __name__ == "__main__":
    sys.exit(main())
