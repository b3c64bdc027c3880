"""A backend that gets into trouble when told: `python -m checks.storm.backend PORT`.

GET /ROUTE/N answers "N=VERSION", PUT and POST make the next version. The parameters of a request say how long it takes
and whether it may be stored; `POST /-/mode` says what is wrong with the backend from now on. The process that was
started only minds the one that serves, which it ends and begins again on a signal:

* SIGHUP: in order, as a deployment does; GAP_S later there is a new one;
* SIGUSR1: killed, and GAP_S later there is a new one.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from enum import Enum

import uvloop
from aiohttp import web

GAP_S = 0.25
"""A quick restart: less than the second for which HAProxy tries a refused connection again."""
DRIP_S = 0.5
RETRY_AFTER_S = 2
EXCESS = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\nContent-Length: 4\r\n\r\n0=1\n"
"""More than was announced, which looks like the answer to whoever asks next."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Mode(Enum):
    """What is wrong with the backend."""

    WELL = "well"
    HANGING = "hanging"
    DRIPPING = "dripping"
    TOO_SHORT = "too-short"
    TOO_LONG = "too-long"
    UNAVAILABLE = "unavailable"


class Registers:
    """Versions of what is asked for, and the trouble. `places` requests are worked on at once, the rest wait.

    The first version is the time at which the process was born, so that those of its successor are higher.
    """

    def __init__(self) -> None:
        born_us = int(time.perf_counter() * 1e6)  # one clock for all processes
        self._versions: defaultdict[int, int] = defaultdict(lambda: born_us)
        self._mode = Mode.WELL
        self._places: asyncio.Semaphore | None = None

    async def change(self, request: web.Request) -> web.Response:
        """`{"mode": MODE, "places": N}`; places 0 or none is no bound."""
        asked = json.loads(await request.read())
        self._mode = Mode(asked.get("mode", "well"))
        places = int(asked.get("places", 0))
        self._places = asyncio.Semaphore(places) if places else None
        return web.Response(text="changed\n")

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """A version of one register."""
        if self._mode is Mode.HANGING:
            await asyncio.sleep(3600)
        if self._mode is Mode.UNAVAILABLE:
            return web.Response(status=503, text="busy\n", headers={"Retry-After": str(RETRY_AFTER_S)})
        if self._places is None:
            return await self._work(request)
        async with self._places:
            return await self._work(request)

    async def _work(self, request: web.Request) -> web.StreamResponse:
        number = int(request.match_info["number"])
        takes_s = float(request.query.get("takes", "0"))
        if takes_s:
            await asyncio.sleep(takes_s)
        if request.method in {"PUT", "POST"}:
            self._versions[number] += 1
        body = f"{number}={self._versions[number]}\n".encode()
        body = body.ljust(int(request.query.get("bytes", "0")), b"\n")
        headers = {"Cache-Control": request.query.get("control", "no-store"), "Content-Type": "text/plain"}
        if self._mode is Mode.WELL:
            return web.Response(body=body, headers=headers)
        if self._mode is Mode.TOO_LONG and request.transport is not None:
            whole = web.Response(body=body, headers=headers)
            await whole.prepare(request)
            await whole.write_eof()
            request.transport.write(EXCESS)
            return whole
        response = web.StreamResponse(headers={**headers, "Content-Length": str(len(body))})
        await response.prepare(request)
        await response.write(body[:1])
        if self._mode is Mode.TOO_SHORT:
            if request.transport is not None:
                request.transport.close()
            return response
        for position in range(1, len(body)):
            await asyncio.sleep(DRIP_S)
            await response.write(body[position : position + 1])
        return response


def serve(port: int) -> None:
    """Serve until terminated."""
    registers = Registers()
    app = web.Application()
    app.router.add_post("/-/mode", registers.change)
    app.router.add_route("*", "/{route}/{number}", registers.answer)
    web.run_app(
        app,
        host="127.0.0.1",
        port=port,
        backlog=1024,
        shutdown_timeout=5.0,
        print=lambda *_: None,
        access_log=None,
        loop=uvloop.new_event_loop(),
    )


def _begin(port: int) -> int:
    child = os.fork()
    if not child:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _MINDED)
        serve(port)
        os._exit(0)
    return child


_MINDED = {signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM}


def main() -> None:
    """Mind the serving process until SIGTERM."""
    port = int(sys.argv[1])
    signal.pthread_sigmask(signal.SIG_BLOCK, _MINDED)
    child = _begin(port)
    while True:
        asked = signal.sigwait(_MINDED)
        os.kill(child, signal.SIGKILL if asked is signal.SIGUSR1 else signal.SIGTERM)
        os.waitpid(child, 0)
        if asked is signal.SIGTERM:
            return
        time.sleep(GAP_S)
        child = _begin(port)


if __name__ == "__main__":
    main()
