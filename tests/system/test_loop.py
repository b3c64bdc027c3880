"""A forwarding loop is refused at once; several Veneers in a row are none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from devstack.process import free_port, wait_until
from devstack.proxy import ProxyOptions, ProxyServer
from tests.support.client import Answer, fetch
from tests.support.origin import answering, running_origin

NewProxy = Callable[[ProxyOptions], ProxyServer]

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nplain"


def at(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def circle(new_proxy: NewProxy, size: int, fastpath: str) -> list[ProxyServer]:
    """Proxies of which each is the upstream of the one before, and the first that of the last."""
    ports = [free_port() for _ in range(size)]
    options = [
        ProxyOptions(upstream=at(ports[(place + 1) % size]), port=port, env={"VENEER_FASTPATH": fastpath})
        for place, port in enumerate(ports)
    ]
    return [new_proxy(option) for option in options]


def told(answer: Answer) -> str:
    return str(msgspec.json.decode(answer.body, type=dict[str, object])["detail"])


@pytest.mark.parametrize("fastpath", ["on", "off"])
@pytest.mark.parametrize("size", [1, 2])
async def test_a_loop_is_refused(new_proxy: NewProxy, size: int, fastpath: str) -> None:
    proxies = await asyncio.to_thread(circle, new_proxy, size, fastpath)
    for method in ("GET", "GET", "HEAD", "POST"):
        answer = await asyncio.to_thread(fetch, f"{proxies[0].url}/round", method)
        assert answer.status == 508
    asked = await asyncio.to_thread(fetch, f"{proxies[0].url}/once-more")
    assert "come back to this proxy" in told(asked)

    def refusals() -> list[object]:
        return [line["refused"] for line in proxies[0].log_records() if line.get("refused")]

    assert await asyncio.to_thread(wait_until, lambda: len(refusals()) == 5, timeout_s=10)
    assert set(refusals()) == {"loop"}


async def test_two_in_a_row_are_no_loop(new_proxy: NewProxy) -> None:
    async with running_origin(answering(PLAIN)) as origin:
        inner = await asyncio.to_thread(new_proxy, ProxyOptions(upstream=origin.url))
        outer = await asyncio.to_thread(new_proxy, ProxyOptions(upstream=inner.url))
        for _ in range(3):
            assert (await asyncio.to_thread(fetch, f"{outer.url}/through")).body == b"plain"
        via = next(line for line in origin.heads[-1].split(b"\r\n") if line.startswith(b"Via: "))
        assert len(set(via.removeprefix(b"Via: ").split(b", "))) == 2
