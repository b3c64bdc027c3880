"""Registers that are rows of PostgreSQL: `python -m checks.coherence.changes.registers PORT DSN QUICK`.

GET /r/N answers with the register's version, PUT /r/N makes the next one, GET /page/N lists the registers that are on
it. No answer says what a write invalidates. Some are slow, so that they are under way while versions are committed;
those of register QUICK never are.
"""

from __future__ import annotations

import asyncio
import random
import sys

from aiohttp import web
from aiohttp.typedefs import Handler

from checks.coherence.changes.database import DOWN, Database
from checks.coherence.registers import serve

SLOW_SHARE = 0.25
SLOW_MOST_S = 0.15
CONNECTIONS = 8


class RowRegisters:
    """The handlers."""

    def __init__(self, dsn: str, quick: int) -> None:
        self._quick = quick
        self._database = Database(dsn, CONNECTIONS)
        self._random = random.Random(1)

    async def read(self, request: web.Request) -> web.Response:
        """One register. What is slow is slow after the version was read: the answer is old when it leaves."""
        number = int(request.match_info["number"])
        rows = await self._database.run("SELECT version FROM registers WHERE id = %s", number)
        if number != self._quick:
            await self._dawdle()
        return _stored(f"register:{number}", f"{number}={rows[0][0]}\n")

    async def page(self, request: web.Request) -> web.Response:
        """The registers of a page; its only tag is the page's."""
        page = int(request.match_info["number"])
        rows = await self._database.run("SELECT id, version FROM registers WHERE page = %s ORDER BY id", page)
        await self._dawdle()
        return _stored(f"page:{page}", "".join(f"{number}={version}\n" for number, version in rows))

    async def write(self, request: web.Request) -> web.Response:
        """Make the next version."""
        number = int(request.match_info["number"])
        rows = await self._database.run(
            "UPDATE registers SET version = version + 1 WHERE id = %s RETURNING version", number
        )
        return web.Response(text=f"{number}={rows[0][0]}\n")

    async def _dawdle(self) -> None:
        if self._random.random() < SLOW_SHARE:
            await asyncio.sleep(self._random.random() * SLOW_MOST_S)


def _stored(tag: str, text: str) -> web.Response:
    return web.Response(text=text, headers={"Cache-Control": "max-age=3600", "Cache-Tag": tag})


@web.middleware
async def _unavailable(request: web.Request, handler: Handler) -> web.StreamResponse:
    """While PostgreSQL is away the backend says so."""
    try:
        response = await handler(request)
    except DOWN as error:
        return web.Response(status=503, text=f"{error}\n")
    else:
        return response


def main() -> None:
    """Serve until terminated."""
    handlers = RowRegisters(sys.argv[2], int(sys.argv[3]))
    app = web.Application(middlewares=[_unavailable])
    app.router.add_get("/r/{number}", handlers.read)
    app.router.add_put("/r/{number}", handlers.write)
    app.router.add_get("/page/{number}", handlers.page)
    serve(app, int(sys.argv[1]))


if __name__ == "__main__":
    main()
