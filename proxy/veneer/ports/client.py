"""The client's side of an exchange."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from veneer.core.fields import Fields
from veneer.core.messages import BytesLike, ResponseHead
from veneer.ports.streams import ByteSink, Content, Tunnel


class BodyError(Exception):
    """The request body cannot be taken as it comes; the client is told why."""


class BodyTooLargeError(BodyError):
    """The request body passed the route's limit (413)."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"the request body is larger than {limit_bytes} bytes")
        self.limit_bytes = limit_bytes


class BodyMalformedError(BodyError):
    """The framing of the request body is broken: where it ends cannot be told (400)."""


class BodyTooSlowError(BodyError):
    """The client sent nothing of its request body for too long (408)."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__(f"nothing of the request body came for {timeout_s:g} s")
        self.timeout_s = timeout_s


class ClientGoneError(ConnectionError):
    """The client closed or broke its connection."""


class Client(ByteSink, Protocol):
    """The client's side of one exchange: the only way to answer it. As a sink it takes bytes of the body."""

    def body(self, limit_bytes: int) -> Content | None:
        """The request body, at hand or as it arrives; None when there is none.

        Raises a BodyError (too large, too slow, malformed), and ClientGoneError when the body breaks off.
        """
        ...

    def detach(self, left: Callable[[], None] | None = None) -> None:
        """Until `reattach` the exchange goes on although the client may leave; else it is cancelled then.

        `left` is called when the client leaves meanwhile, and now if it has left already.
        """
        ...

    def on_leave(self, left: Callable[[], None] | None) -> None:
        """Call `left` when the client leaves or may have left, for it sends no more; None to do so no longer."""
        ...

    def reattach(self) -> bool:
        """The end of what `detach` began; whether the client has left meanwhile, so that nothing can be sent to it."""
        ...

    @property
    def has_body(self) -> bool:
        """Whether the request brings content, be it empty."""
        ...

    @property
    def started(self) -> bool:
        """Whether a final head has been given out."""
        ...

    @property
    def bytes_in(self) -> int:
        """Bytes of the request body read so far."""
        ...

    @property
    def bytes_out(self) -> int:
        """Bytes of the response body sent so far."""
        ...

    @property
    def address(self) -> str:
        """The peer's address as a string, without port."""
        ...

    def interim(self, head: ResponseHead) -> None:
        """Relay a 1xx response; dropped for HTTP/1.0 clients."""
        ...

    async def begin(self, head: ResponseHead, length: int | None) -> None:
        """Send the final head. `length` None means that the end is marked by chunked coding or by closing."""
        ...

    async def send(self, data: bytes) -> None:
        """Send body bytes, waiting while the client is slow. Raises ClientGoneError."""
        ...

    async def send_full(self, head: ResponseHead, body: bytes | Sequence[BytesLike]) -> None:
        """Send the final head and all of its body: `begin`, `send` and `finish` in one."""
        ...

    async def flush(self) -> None:
        """Send the head now, when the body may be long in coming."""
        ...

    async def finish(self, trailers: Fields) -> None:
        """The body is whole."""
        ...

    def abort(self) -> None:
        """Cut the connection so that the client sees the body is not whole."""
        ...

    async def upgrade(self, head: ResponseHead) -> Tunnel:
        """Send 101 and hand over the raw stream."""
        ...
