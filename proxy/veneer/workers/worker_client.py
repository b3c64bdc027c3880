"""Asking workers: for their reports, and for what only they can do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import aiohttp
import msgspec

from veneer.workers.counter_totals import CounterTotals
from veneer.workers.report import PATH, decode

REPORT_TIMEOUT_S = 1.0
FOREIGN = (aiohttp.ClientError, OSError, TimeoutError, msgspec.MsgspecError)
"""Whatever an exchange with a worker may raise."""

Sockets = Callable[[], Mapping[str, Path]]
"""Where living workers answer, by their names."""


class WorkerReply(NamedTuple):
    """A worker's answer."""

    status: int
    media_type: str
    body: bytes


class Question(NamedTuple):
    """A request to a worker."""

    method: str
    target: str
    body: bytes = b""
    media_type: str = ""


async def ask(path: Path, question: Question, timeout_s: float) -> WorkerReply:
    """One exchange with a worker. Raises what FOREIGN lists."""
    headers = {"Content-Type": question.media_type} if question.media_type else {}
    limit = aiohttp.ClientTimeout(total=timeout_s)
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path)), timeout=limit) as session,
        session.request(
            question.method, f"http://localhost{question.target}", data=question.body or None, headers=headers
        ) as answer,
    ):
        media_type = answer.headers.get("content-type", "application/octet-stream")
        return WorkerReply(answer.status, media_type, await answer.read())


async def collect_reports(sockets: Sockets, totals: CounterTotals) -> None:
    """Ask every living worker for its report; one that does not answer in time keeps its last one."""

    async def collect(worker: str, path: Path) -> None:
        try:
            report = decode((await ask(path, Question("GET", PATH), REPORT_TIMEOUT_S)).body)
        except FOREIGN:
            return
        if worker in sockets():  # It may have ended meanwhile, and then its last words count.
            totals.reported(worker, report)

    await asyncio.gather(*(collect(worker, path) for worker, path in sockets().items()))
