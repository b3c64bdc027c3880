"""What a worker tells its supervisor, and how: over a Unix socket that nobody else can open."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from aiohttp import web

from veneer.admin.application import build_admin
from veneer.admin.deps import AdminDeps
from veneer.observe.counters import Snapshot

PATH = "/report"
MEDIA_TYPE = "application/msgpack"


class Report(msgspec.Struct, frozen=True):
    """One worker as it stands: its counters, its position in the invalidation log, whether it takes requests.

    `number` is how many reports the worker has made so far.
    """

    number: int
    snapshot: Snapshot
    position: tuple[str, int]
    serving: bool


def encode(report: Report) -> bytes:
    """The report for the wire or a file."""
    return msgspec.msgpack.encode(report)


def decode(data: bytes) -> Report:
    """The report. Raises msgspec.MsgspecError for anything else."""
    return msgspec.msgpack.decode(data, type=Report)


@asynccontextmanager
async def answering_supervisor(deps: AdminDeps, report: Callable[[], Report], path: Path) -> AsyncIterator[None]:
    """Serve the admin application and the report on a Unix socket for as long as the block runs."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=encode(report()), content_type=MEDIA_TYPE)

    application = build_admin(deps)
    application.router.add_get(PATH, answer)
    runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.UnixSite(runner, str(path)).start()
        yield
    finally:
        await runner.cleanup()
