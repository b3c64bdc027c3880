"""WebSocket clients and servers of several makers, and socket.io on its three ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstack.process import Launch
from tests.real.support.both import Both, Serve, Site, facts, launch
from tests.real.support.install import node_group, python_group
from tests.real.support.run import run

pytestmark = [pytest.mark.quick, pytest.mark.timeout(600)]


def websockets(port: int, directory: Path) -> Launch:
    return launch("websockets", python_group("frameworks").script("websockets_server.py", str(port)), directory)


def aiohttp(port: int, directory: Path) -> Launch:
    return launch("aiohttp", python_group("frameworks").script("aiohttp_sockets.py", str(port)), directory)


def node(port: int, directory: Path) -> Launch:
    return launch("node", node_group("node").script("chat.js", str(port)), directory)


@pytest.mark.parametrize("serve", [websockets, aiohttp])
def test_pythons_clients_talk(both: Both, serve: Serve) -> None:
    def steps(site: Site) -> object:
        return facts(run(python_group("frameworks").script("socket_steps.py", site.url)))

    straight, through = both.run(serve, steps)
    assert through == straight


@pytest.mark.parametrize("script", ["ws_steps.js", "socketio_steps.js"])
def test_nodes_clients_talk(both: Both, script: str) -> None:
    def steps(site: Site) -> object:
        return facts(run(node_group("node").script(script, site.url)))

    straight, through = both.run(node, steps)
    assert through == straight
