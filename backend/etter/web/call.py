"""A route as data, the call that reaches its handler, and the result it returns."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec
from aiohttp import web
from yarl import URL

from etter.web.auth import Caller
from etter.web.caching import STORED_BY_NOBODY, CacheAdvice
from etter.web.envelope import Problem

Q = TypeVar("Q")
B = TypeVar("B")


class NoQuery(msgspec.Struct, frozen=True):
    """A route without query parameters; unknown ones are ignored everywhere."""


class NoBody(msgspec.Struct, frozen=True):
    """A route without a request body."""


@dataclass(frozen=True, slots=True)
class Call(Generic[Q, B]):
    """One checked request: what it carries has the declared type and is within bounds.

    `request` is the raw one, for handlers that stream.
    """

    caller: Caller
    ids: tuple[int, ...]
    query: Q
    body: B
    request: web.Request

    @property
    def url(self) -> URL:
        """The path and query as they were asked for."""
        return self.request.rel_url

    @property
    def id(self) -> int:
        """The number in the path."""
        return self.ids[0]


@dataclass(frozen=True, slots=True)
class Result:
    """What a handler answers. `groups` label a read, `invalidates` the groups that a write made stale.

    `advice` overrides the route's where one path serves several kinds of data.
    """

    data: object
    groups: tuple[str, ...] = ()
    invalidates: tuple[str, ...] = ()
    status: int = 200
    message: str | None = None
    errors: tuple[Problem, ...] = ()
    advice: CacheAdvice | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A declared route. Handlers differ in their query and body types, which `query` and `body` name.

    What no `advice` is given for is stored by nobody.
    """

    method: str
    path: str
    summary: str
    # The table mixes handlers of many types; the dispatcher builds each call from the two fields below.
    handler: Callable[[Call[Any, Any]], Awaitable[Result | web.StreamResponse]]
    data: object
    advice: CacheAdvice = STORED_BY_NOBODY
    query: type[msgspec.Struct] = NoQuery
    body: type[msgspec.Struct] = NoBody
    status: int = 200
    media_types: tuple[str, ...] = ("application/json",)

    @property
    def name(self) -> str:
        """The label in logs, metrics and SQL comments."""
        return f"{self.method} {self.path}"
