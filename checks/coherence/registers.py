"""A backend of versioned registers: `python -m checks.coherence.registers PORT REGISTERS PAGES`.

GET /r/N answers with the register's version, PUT /r/N makes the next one, GET /page/N lists several registers, POST
/bump/N makes a version that no cache is told of. Some answers are slow, so that they are under way while versions are
made. /d/N are registers for writes in doubt: PUT /d/N?late commits when the proxy has given up, PUT /d/N?lost commits
and says nothing, PUT /d/N?error says 500; GET /d/N?committed is for the judge.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time

import uvloop
from aiohttp import web

SLOW_SHARE = 0.25
SLOW_MOST_S = 0.15
SHORT_LIVED_EVERY = 4
"""Each fourth register is fresh for a second only, so that it is revalidated and served stale meanwhile."""


LATE_LEAST_S, LATE_MOST_S = 0.6, 2.0
"""When a late write is committed: after the read time-out of the nodes, before their writes have settled."""


class Registers:
    """The handlers and the versions."""

    def __init__(self, registers: int, pages: int) -> None:
        self._versions = [0] * registers
        self._pages = pages
        self._doubtful: dict[str, int] = {}
        self._random = random.Random(1)

    async def read(self, request: web.Request) -> web.Response:
        """One register. What is slow is slow after the version was read: the answer is old when it leaves."""
        number = int(request.match_info["number"])
        version = self._versions[number]
        await self._dawdle()
        etag = f'"v{version}"'
        fresh = "max-age=1, stale-while-revalidate=5" if number % SHORT_LIVED_EVERY == 0 else "max-age=3600"
        headers = {"Cache-Control": fresh, "Cache-Tag": f"reg:{number}, kind:register", "ETag": etag}
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers=headers)
        return web.Response(text=f"{number}={version}\n", headers=headers)

    async def page(self, request: web.Request) -> web.Response:
        """Every register of a page; it has the tags of each."""
        page = int(request.match_info["number"])
        shown = [(n, self._versions[n]) for n in range(page, len(self._versions), self._pages)]
        await self._dawdle()
        tags = ", ".join(f"reg:{number}" for number, _ in shown)
        text = "".join(f"{number}={version}\n" for number, version in shown)
        return web.Response(text=text, headers={"Cache-Control": "max-age=3600", "Cache-Tag": tags})

    async def write(self, request: web.Request) -> web.Response:
        """Make the next version; the answer names the tag, or leaves it to the URI and the hierarchy of tags."""
        began = time.perf_counter()
        number = int(request.match_info["number"])
        await self._dawdle()
        self._versions[number] += 1
        version = self._versions[number]
        await self._dawdle()
        tag = f'"reg:{number}"'
        headers = {"Cache-Group-Invalidation": tag} if version % 2 else {"X-Cache-Invalidate": f"reg:{number}:*"}
        headers["Server-Timing"] = f"all;dur={(time.perf_counter() - began) * 1000:.3f}"
        return web.Response(text=f"{number}={version}\n", headers=headers)

    async def read_doubtful(self, request: web.Request) -> web.Response:
        """A register of which writes may be in doubt."""
        number = request.match_info["number"]
        text = f"{number}={self._doubtful.get(number, 0)}\n"
        return web.Response(text=text, headers={"Cache-Control": "max-age=3600"})

    async def write_doubtful(self, request: web.Request) -> web.Response:
        """Make the next version, so that the client does not know when, or whether."""
        number = request.match_info["number"]
        if request.query_string == "late":
            await asyncio.sleep(LATE_LEAST_S + self._random.random() * (LATE_MOST_S - LATE_LEAST_S))
        self._doubtful[number] = self._doubtful.get(number, 0) + 1
        if request.query_string == "lost" and request.transport is not None:
            request.transport.abort()
        if request.query_string == "error":
            return web.Response(status=500, text="after the commit\n")
        return web.Response(text=f"{number}={self._doubtful[number]}\n")

    async def bump(self, request: web.Request) -> web.Response:
        """Make the next version behind the cache's back."""
        number = int(request.match_info["number"])
        self._versions[number] += 1
        return web.Response(text=f"{number}={self._versions[number]}\n")

    async def _dawdle(self) -> None:
        if self._random.random() < SLOW_SHARE:
            await asyncio.sleep(self._random.random() * SLOW_MOST_S)


def serve(app: web.Application, port: int) -> None:
    """Serve until terminated; a write whose client has left is carried out."""
    web.run_app(
        app,
        handler_cancellation=False,
        host="127.0.0.1",
        port=port,
        print=lambda *_: None,
        access_log=None,
        loop=uvloop.new_event_loop(),
    )


def main() -> None:
    """Serve until terminated."""
    port, registers, pages = (int(text) for text in sys.argv[1:4])
    handlers = Registers(registers, pages)
    app = web.Application()
    app.router.add_get("/r/{number}", handlers.read)
    app.router.add_put("/r/{number}", handlers.write)
    app.router.add_get("/page/{number}", handlers.page)
    app.router.add_get("/d/{number}", handlers.read_doubtful)
    app.router.add_put("/d/{number}", handlers.write_doubtful)
    app.router.add_post("/bump/{number}", handlers.bump)
    serve(app, port)


if __name__ == "__main__":
    main()
