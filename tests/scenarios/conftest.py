"""A real proxy for each module of scenarios, and a dialogue through it for each test.

The same scenarios hold whatever the proxy stores in: `make scenarios` runs them on each kind of Redis. The kinds are
named by VENEER_SCENARIO_STORES, separated by commas; memory alone when it is not set.
"""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from checks.conformance.target import start_listening
from devstack.proxy import ProxyOptions, ProxyServer
from tests.scenarios.dialogue import Dialogue
from tests.support.redis_fixtures import shared_url

KINDS = ("memory", "redis", "sentinel", "cluster")
STORES = os.environ.get("VENEER_SCENARIO_STORES", "memory").split(",")


@dataclass(frozen=True, slots=True)
class Stage:
    """A running proxy, and the socket on which its origin will listen."""

    proxy: ProxyServer
    listener: socket.socket


def pytest_itemcollected(item: pytest.Item) -> None:
    """Leave coverage to the other tests, which reach the floors alone: traced, a scenario costs half as much again."""
    item.add_marker("no_cover")


@pytest.fixture(scope="module", params=STORES)
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The proxy of this module: its POLICIES, if it has any, are the policy file, its ENVIRONMENT is added."""
    assert request.param in KINDS, f"VENEER_SCENARIO_STORES may name {', '.join(KINDS)}"
    redis_url = None if request.param == "memory" else shared_url(request.param, request)
    directory = tmp_path_factory.mktemp("scenario")
    policies = getattr(request.module, "POLICIES", None)
    file = None
    if isinstance(policies, str):
        file = directory / "policies.yaml"
        file.write_text(policies, "utf-8")
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        upstream = f"http://127.0.0.1:{listener.getsockname()[1]}"
        env = getattr(request.module, "ENVIRONMENT", {})
        proxy = ProxyServer(ProxyOptions(upstream=upstream, policies=file, redis_url=redis_url, env=env), directory)
        start_listening(proxy)
        yield Stage(proxy, listener)
        proxy.stop()


@pytest.fixture
async def talk(stage: Stage) -> AsyncIterator[Dialogue]:
    """A conversation through the module's proxy."""
    async with Dialogue(stage.proxy.port, stage.listener) as dialogue:
        yield dialogue
