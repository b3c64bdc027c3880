"""The start, a reload and the stop as systemd hears of them, from one process and from several workers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devstack.proxy import ProxyOptions, ProxyServer
from tests.support.origin import answering, running_origin

NewProxy = Callable[[ProxyOptions], ProxyServer]

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nplain"


class Heard:
    """What came on the manager's socket, signs of life counted apart from the states."""

    def __init__(self, receiver: socket.socket) -> None:
        self._receiver = receiver
        self.signs_of_life = 0

    def next_state(self) -> str:
        """The next state's first line."""
        while True:
            line = self._receiver.recv(1_024).decode().splitlines()[0]
            if line != "WATCHDOG=1":
                return line
            self.signs_of_life += 1

    def status(self) -> str:
        """What the next state says to people."""
        while True:
            lines = self._receiver.recv(1_024).decode().splitlines()
            if lines[0] != "WATCHDOG=1":
                return lines[-1]


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[Heard]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(30)
        yield Heard(receiver)


def environment(directory: Path) -> dict[str, str]:
    return {"NOTIFY_SOCKET": str(directory / "notify"), "WATCHDOG_USEC": "200000"}


@pytest.mark.parametrize("workers", [1, 2])
async def test_systemd_hears_of_start_reload_and_stop(
    new_proxy: NewProxy, heard: Heard, tmp_path: Path, redis_url: str, workers: int
) -> None:
    policies = tmp_path / "policies.yaml"
    policies.write_text("version: 1\n")
    async with running_origin(answering(PLAIN)) as origin:
        options = ProxyOptions(
            upstream=origin.url,
            policies=policies,
            redis_url=redis_url,
            workers=workers,
            env=environment(tmp_path),
        )
        proxy = await asyncio.to_thread(new_proxy, options)
        assert await asyncio.to_thread(heard.next_state) == "READY=1"
        proxy.reload()
        assert await asyncio.to_thread(heard.next_state) == "RELOADING=1"
        assert await asyncio.to_thread(heard.status) == "STATUS=serving"
        policies.write_text("version: one\n")
        proxy.reload()
        assert await asyncio.to_thread(heard.next_state) == "RELOADING=1"
        assert "refused" in await asyncio.to_thread(heard.status)
        stopping = asyncio.get_running_loop().run_in_executor(None, proxy.stop)
        assert await asyncio.to_thread(heard.next_state) == "STOPPING=1"
        await stopping
        assert proxy.process.exit_code == 0
        assert heard.signs_of_life > 0
