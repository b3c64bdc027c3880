"""What operators ask of a node of several workers: of one of them, of all, or of what was kept here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from veneer.admin.answers import json_answer
from veneer.admin.inspection import (
    CONFIG_PATH,
    ENTRIES_PATH,
    PURGES_PATH,
    ROUTES_PATH,
    STATUS_PATH,
    VERSION_PATH,
)
from veneer.admin.purge import PurgeError, parse_purge, together
from veneer.admin.recent import RecentPurges
from veneer.admin.standing import Standing, WorkerView
from veneer.admin.tail import TAIL_PATH
from veneer.admin.views import DryRun, Entries
from veneer.ports import Receipt
from veneer.workers.tails import WorkerTails
from veneer.workers.worker_client import Question, WorkerReply

AskOne = Callable[[Question], Awaitable[WorkerReply]]
AskAll = Callable[[Question], Awaitable[Sequence[tuple[str, WorkerReply]]]]
"""Every serving worker's answer, by name; of those that give none, none. Raises HTTPServiceUnavailable for none."""


class WorkersInspection:
    """The handlers. Each answer has the form of a single process'."""

    def __init__(self, ask_one: AskOne, ask_all: AskAll, purges: RecentPurges, tails: WorkerTails) -> None:
        self._tails = tails
        self._ask_one = ask_one
        self._ask_all = ask_all
        self._purges = purges

    def routes(self) -> list[web.RouteDef]:
        """What is asked, and who answers."""
        return [
            web.get(CONFIG_PATH, self.of_one),
            web.get(ROUTES_PATH, self.of_one),
            web.get(VERSION_PATH, self.of_one),
            web.get(STATUS_PATH, self.status),
            web.get(ENTRIES_PATH, self.entries),
            web.get(PURGES_PATH, self.recent_purges),
            web.get(TAIL_PATH, self._tails.follow),
        ]

    async def of_one(self, request: web.Request) -> web.Response:
        """What each worker would answer alike."""
        return relayed(await self._ask_one(Question("GET", request.path_qs)))

    async def status(self, _request: web.Request) -> web.Response:
        """As one worker stands, and what may differ among them."""
        told = [
            (worker, msgspec.json.decode(reply.body, type=Standing))
            for worker, reply in await self._ask_all(Question("GET", STATUS_PATH))
        ]
        workers = tuple(
            WorkerView(worker, one.node, one.status, one.policy, one.started, one.reload) for worker, one in told
        )
        nodes = frozenset(one.node for _, one in told)
        first = told[0][1]
        seen = None if first.nodes is None else tuple(
            msgspec.structs.replace(lease, here=lease.node in nodes) for lease in first.nodes
        )  # fmt: skip
        upstreams = tuple(
            msgspec.structs.replace(
                upstream,
                in_use=sum(other.in_use for other in alike),
                limit=sum(other.limit for other in alike),
                waiting=sum(other.waiting for other in alike),
                refused=sum(other.refused for other in alike),
            )
            for upstream in first.upstreams
            if (alike := [other for _, one in told for other in one.upstreams if other.name == upstream.name])
        )
        held = all(one.lease_held for _, one in told)
        return json_answer(
            msgspec.structs.replace(first, workers=workers, nodes=seen, upstreams=upstreams, lease_held=held)
        )

    async def entries(self, request: web.Request) -> web.Response:
        """What all memories hold, and Redis: one worker asks it. The decision is that worker's."""
        first = await self._ask_one(Question("GET", request.path_qs))
        if first.status != 200:
            return relayed(first)
        query = urlencode([*((key, value) for key, value in request.query.items() if key != "redis"), ("redis", "no")])
        told = [
            (worker, msgspec.json.decode(reply.body, type=Entries))
            for worker, reply in await self._ask_all(Question("GET", f"{ENTRIES_PATH}?{query}"))
            if reply.status == 200
        ]
        answer = msgspec.json.decode(first.body, type=Entries)
        views = [msgspec.structs.replace(view, worker=worker) for worker, one in told for view in one.entries]
        views += [view for view in answer.entries if view.store != "memory"]
        return json_answer(
            msgspec.structs.replace(
                answer,
                entries=tuple(views),
                found=len(views),
                note="" if views else answer.note,
                complete=all(one.complete for _, one in told),
            )
        )

    async def recent_purges(self, _request: web.Request) -> web.Response:
        """The last purges by any worker: those that have ended count as well."""
        return json_answer(self._purges.told())

    async def purge(self, request: web.Request) -> web.Response:
        """Done by one worker, which tells all the others; only looked at by all, where nothing is to be purged."""
        body = await request.read()
        question = Question("POST", request.path, body, request.headers.get("content-type", ""))
        try:
            asked = parse_purge(body)
        except PurgeError:
            return relayed(await self._ask_one(question))
        if asked.dry_run:
            return await self._preview(question)
        reply = await self._ask_one(question)
        if reply.status in (200, 503):
            self._note(body, reply)
        return relayed(reply)

    async def _preview(self, question: Question) -> web.Response:
        """What all memories hold, and what one worker finds in Redis."""
        first = await self._ask_one(question)
        if first.status != 200:
            return relayed(first)
        beyond = msgspec.structs.replace(_run_of(first), entries=0, bytes=0, looked_at=0)
        others = await self._ask_all(question._replace(target=f"{question.target}?redis=no"))
        return json_answer(together([beyond, *(_run_of(reply) for _, reply in others if reply.status == 200)]))

    def _note(self, body: bytes, reply: WorkerReply) -> None:
        try:
            receipt = msgspec.json.decode(reply.body, type=Receipt)
        except msgspec.MsgspecError:
            return  # a refusal in other words
        self._purges.note(parse_purge(body), receipt)


def _run_of(reply: WorkerReply) -> DryRun:
    return msgspec.json.decode(reply.body, type=DryRun)


def relayed(reply: WorkerReply) -> web.Response:
    """A worker's answer as it is."""
    headers = {"Content-Type": reply.media_type, "Cache-Control": "no-store"}
    return web.Response(status=reply.status, body=reply.body, headers=headers)
