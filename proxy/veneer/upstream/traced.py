"""One request to a backend, with a span for each time that it is sent."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol

from veneer.core.messages import RequestHead
from veneer.ports import (
    Content,
    InterimSink,
    OutgoingSpan,
    OutgoingSpans,
    ServerName,
    UpstreamError,
    UpstreamFailure,
)
from veneer.upstream.response import BackendResponse
from veneer.upstream.settings import Endpoint

Resend = Callable[[UpstreamError], RequestHead]
"""The request as it is to be sent once more, after what came of it the last time."""


class Send(Protocol):
    """Has a request answered."""

    def __call__(
        self, request: RequestHead, body: Content | None, on_interim: InterimSink | None, *, again: Resend
    ) -> Awaitable[BackendResponse]:
        """The response. Before the request is sent once more `again` is asked how. Raises UpstreamError."""
        ...


def server_name(endpoint: Endpoint) -> ServerName:
    """How the backend is called in spans."""
    if endpoint.unix_path is not None:
        return ServerName(endpoint.origin, endpoint.unix_path)
    return ServerName(endpoint.origin, endpoint.host, endpoint.port, endpoint.at)


class SpannedRequest:
    """A request to one backend. `sends` counts its attempts, those at other backends included."""

    def __init__(
        self, spans: OutgoingSpans, endpoint: Endpoint, request: RequestHead, sends: Iterator[int] | None
    ) -> None:
        self._spans = spans
        self._server = server_name(endpoint)
        self._request = request
        self._sends = itertools.count() if sends is None else sends
        self._span: OutgoingSpan | None = None

    async def send(self, send: Send, body: Content | None, on_interim: InterimSink | None) -> BackendResponse:
        """The response; its end is the span's. Raises what `send` raises."""
        try:
            response = await send(self._begin(), body, on_interim, again=self._again)
        except UpstreamError as error:
            self._end(error.failure)
            raise
        except BaseException:  # the content failed, or nobody waits any more
            self._end(UpstreamFailure.ABANDONED)
            raise
        if self._span is not None:
            self._span.answered(response.head.status)
            response.when_ended(self._span.end)
        return response

    def _begin(self) -> RequestHead:
        self._span = self._spans.begin(self._request, self._server, next(self._sends))
        return self._request if self._span is None else self._span.request

    def _again(self, error: UpstreamError) -> RequestHead:
        self._end(error.failure)
        return self._begin()

    def _end(self, failure: UpstreamFailure) -> None:
        if self._span is not None:
            self._span.end(failure)
