"""A response that has come whole, for the pipeline."""

from __future__ import annotations

from collections.abc import AsyncIterator

from veneer.core.fields import Fields
from veneer.core.messages import ResponseHead
from veneer.ports import ByteSink, SentTo


class WholeResponse:
    """Implements `veneer.ports.UpstreamResponse`; it holds no connection."""

    def __init__(self, head: ResponseHead, body: bytes, sent_to: SentTo | None = None) -> None:
        self.head = head
        self.sent_to = sent_to
        self.content_length = len(body)
        self.trailers = Fields()
        self.tunnel = None
        self._pieces = [body] if body else []

    def body(self) -> AsyncIterator[bytes]:
        """The body."""
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.pop()

    async def stream_into(self, sink: ByteSink) -> None:
        """Push the body into `sink`."""
        pieces, self._pieces = self._pieces, []
        if pieces and not sink.write_now(pieces):
            await sink.drained()

    async def aclose(self) -> None:
        """Nothing is held."""
