"""Servers that close idle connections after a second, and clients that ask just then: no GET is lost."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path

import pytest

from devstack.process import Launch
from tests.real.support.both import Both, Serve, Site, launch
from tests.real.support.install import node_group, python_group
from tests.support.client import fetch

pytestmark = [pytest.mark.quick, pytest.mark.timeout(600)]

CLIENTS, ROUNDS = 40, 4


def uvicorn(port: int, directory: Path) -> Launch:
    group = python_group("frameworks")
    argv = [group.program("uvicorn"), "--app-dir", str(group.scripts), "--timeout-keep-alive", "1"]
    return launch("uvicorn", [*argv, "--port", str(port), "plain_asgi:asgi"], directory)


def gunicorn(port: int, directory: Path) -> Launch:
    group = python_group("frameworks")
    argv = [group.program("gunicorn"), "--chdir", str(group.scripts), "--threads", "60", "--keep-alive", "1"]
    return launch("gunicorn", [*argv, "-b", f"127.0.0.1:{port}", "plain_asgi:wsgi"], directory)


def hypercorn(port: int, directory: Path) -> Launch:
    group = python_group("frameworks")
    argv = [group.program("hypercorn"), "--keep-alive", "1", "--bind", f"127.0.0.1:{port}", "plain_asgi:asgi"]
    return launch("hypercorn", argv, directory, {"PYTHONPATH": str(group.scripts)})


def node(port: int, directory: Path) -> Launch:
    return launch("node", node_group("node").script("keep_alive.js", str(port)), directory)


@pytest.mark.parametrize("serve", [uvicorn, gunicorn, hypercorn, node])
def test_a_connection_that_closes_just_then_costs_no_answer(both: Both, serve: Serve) -> None:
    def steps(site: Site) -> Counter[tuple[int, bytes] | str]:
        def client(number: int) -> list[tuple[int, bytes] | str]:
            # The connections behind Veneer fall idle together; some ask shortly before their end, some after it.
            seen: list[tuple[int, bytes] | str] = []
            for turn in range(ROUNDS):
                try:
                    answer = fetch(f"{site.url}/{number}/{turn}")
                    seen.append((answer.status, answer.body))
                except (OSError, HTTPException) as error:
                    seen.append(repr(error))
                time.sleep(0.97 + number * 0.002)
            return seen

        with ThreadPoolExecutor(CLIENTS) as pool:
            return Counter(one for seen in pool.map(client, range(CLIENTS)) for one in seen)

    through = both.through(serve, steps)
    asked = [f"/{number}/{turn}" for number in range(CLIENTS) for turn in range(ROUNDS)]
    assert through == Counter((200, f"answer to {target}".encode()) for target in asked)
