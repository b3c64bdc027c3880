"""A backend of versioned registers: `python -m tests.coherence.registers PORT REGISTERS PAGES`.

GET /r/N answers with the register's version, PUT /r/N makes the next one, GET /page/N lists several registers, POST
/bump/N makes a version that no cache is told of. Some answers are slow, so that they are under way while versions
are made.
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


class Registers:
    """The handlers and the versions."""

    def __init__(self, registers: int, pages: int) -> None:
        self._versions = [0] * registers
        self._pages = pages
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
        headers["X-Backend-Ms"] = f"{(time.perf_counter() - began) * 1000:.3f}"
        return web.Response(text=f"{number}={version}\n", headers=headers)

    async def bump(self, request: web.Request) -> web.Response:
        """Make the next version behind the cache's back."""
        number = int(request.match_info["number"])
        self._versions[number] += 1
        return web.Response(text=f"{number}={self._versions[number]}\n")

    async def _dawdle(self) -> None:
        if self._random.random() < SLOW_SHARE:
            await asyncio.sleep(self._random.random() * SLOW_MOST_S)


def main() -> None:
    """Serve until terminated."""
    port, registers, pages = (int(text) for text in sys.argv[1:4])
    handlers = Registers(registers, pages)
    app = web.Application()
    app.router.add_get("/r/{number}", handlers.read)
    app.router.add_put("/r/{number}", handlers.write)
    app.router.add_get("/page/{number}", handlers.page)
    app.router.add_post("/bump/{number}", handlers.bump)
    web.run_app(app, host="127.0.0.1", port=port, print=lambda *_: None, access_log=None, loop=uvloop.new_event_loop())


if __name__ == "__main__":
    main()
