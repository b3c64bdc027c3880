"""The ways to the backends that are known: made of a sample, and remembered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, Generic, Protocol, TypeVar

from veneer.fastpath.exchange import FastRequest
from veneer.fastpath.pattern import Values
from veneer.fastpath.scan import HeadShape
from veneer.fastpath.upstream_templates import UpstreamTemplate
from veneer.pipeline.context import Exchange
from veneer.policy.model import Match, Route
from veneer.server.ports import ConnectionHandle

MAX_TEMPLATES: Final = 4096
"""Remembered at most: shapes times routes times client addresses."""

T = TypeVar("T", bound=UpstreamTemplate)


class SampleSource(Protocol):
    """The pipeline, as far as templates are made of what it would do."""

    def sample(self, data: bytes, connection: ConnectionHandle, request_id: str) -> Exchange | None:
        """The exchange that the normal way would make of a request; None where it would refuse that."""
        ...


class TemplateCache(Generic[T]):
    """Templates by shape, route and client address; None is remembered as well: such requests need the pipeline."""

    def __init__(
        self,
        source: SampleSource,
        make: Callable[[Exchange, Route, HeadShape, Values], T | None],
        most: int = MAX_TEMPLATES,
    ) -> None:
        self._source = source
        self._make = make
        self._most = most
        self._known: dict[tuple[HeadShape, str, str], T | None] = {}

    def __len__(self) -> int:
        return len(self._known)

    def clear(self) -> None:
        """Forget them all."""
        self._known.clear()

    def template(self, request: FastRequest, match: Match, route: Route, last: T | None) -> T | None:
        """That of a request on a route; `last` is the one of the connection's last, most often of this one too.

        `match` has what the request proves, where that makes a difference: then it is the same for all who prove as
        much as the route asks for, and holds nobody's scope.
        """
        shape = request.shape
        if last is not None and last.shape is shape and last.route is route:
            return last
        known = (shape, route.name, request.connection.address)
        if known in self._known:
            return self._known[known]
        sample = self._source.sample(request.data, request.connection, request.request_id.decode("ascii"))
        if sample is not None and match.identity is not None:
            sample = replace(sample, match=match)
        request.sample = sample
        template = None if sample is None else self._make(sample, route, shape, request.values)
        if len(self._known) >= self._most:
            self._known.clear()
        self._known[known] = template
        return template
