"""What operators ask of a running node beside health, counters and purges: handlers over a few small ports."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from veneer.admin.answers import json_answer
from veneer.admin.counters_view import counters_of
from veneer.admin.entries import BadQuestionError, EntryFinder
from veneer.admin.in_force import config_of, version_of
from veneer.admin.recent import RecentPurges
from veneer.admin.routes_view import routes_of
from veneer.admin.standing import Standing
from veneer.admin.tail import TAIL_PATH, LogTail
from veneer.admin.views import COUNTERS_PATH
from veneer.core.fields import Pair
from veneer.observe.counters import Snapshot
from veneer.policy.model import Policy
from veneer.ports import Clock

CONFIG_PATH: Final = "/config"
ROUTES_PATH: Final = "/routes"
VERSION_PATH: Final = "/version"
STATUS_PATH: Final = "/status"
ENTRIES_PATH: Final = "/entries"
PURGES_PATH: Final = "/purges"

MAX_HEADERS: Final = 32


@dataclass(frozen=True, slots=True)
class NodeInspection:
    """`file` is the policy file's name, "" without one. `standing` tells how the node stands, `draining` included."""

    policy: Callable[[], Policy]
    clock: Clock
    started_s: float
    file: str
    standing: Callable[[], Awaitable[Standing]]
    finder: EntryFinder
    purges: RecentPurges
    tail: LogTail
    snapshot: Callable[[], Snapshot]

    def routes(self) -> list[web.RouteDef]:
        """What is asked, and who answers."""
        return [
            web.get(CONFIG_PATH, self.config),
            web.get(ROUTES_PATH, self.list_routes),
            web.get(VERSION_PATH, self.version),
            web.get(STATUS_PATH, self.status),
            web.get(ENTRIES_PATH, self.entries),
            web.get(PURGES_PATH, self.recent_purges),
            web.get(TAIL_PATH, self.tail.follow),
            web.get(COUNTERS_PATH, self.counters),
        ]

    async def config(self, request: web.Request) -> web.Response:
        """Each value of the policy in force with who said it; with `route` what holds on that one."""
        policy, route = self.policy(), request.query.get("route")
        if route is not None and route not in [one.name for one in policy.routes]:
            raise web.HTTPNotFound(text=f'there is no route "{route[:64]}"')
        return json_answer(config_of(policy, self.file, route))

    async def list_routes(self, _request: web.Request) -> web.Response:
        """The routes in order."""
        return json_answer(routes_of(self.policy(), self.file))

    async def version(self, _request: web.Request) -> web.Response:
        """What runs, and since when."""
        return json_answer(version_of(self.policy(), self.started_s, self.clock.now()))

    async def status(self, _request: web.Request) -> web.Response:
        """How it stands."""
        return json_answer(await self.standing())

    async def entries(self, request: web.Request) -> web.Response:
        """What is stored for `url`, and what a request with the fields of `header` would get."""
        url = request.query.get("url", "")
        if not url:
            raise web.HTTPBadRequest(text="name the url, as in /entries?url=http://host/path")
        headers = [_field(text) for text in request.query.getall("header", [])[:MAX_HEADERS]]
        try:
            found = await self.finder.find(url, headers, ask_shared=request.query.get("redis") != "no")
        except BadQuestionError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        return json_answer(found)

    async def counters(self, _request: web.Request) -> web.Response:
        """The counters by route."""
        return json_answer(counters_of(self.snapshot(), self.clock.monotonic()))

    async def recent_purges(self, _request: web.Request) -> web.Response:
        """The last purges."""
        return json_answer(self.purges.told())


def _field(text: str) -> Pair:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise web.HTTPBadRequest(text=f"header {text[:80]!r}: write it as NAME: VALUE")
    return name.strip(), value.strip()
