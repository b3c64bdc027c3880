"""A request that is sent over a connection at once, and who takes its response.

Classes to derive from, unlike the other ports: where both sides are compiled, a call of one's method is direct.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from mypy_extensions import mypyc_attr

from veneer.core.messages import ResponseHead
from veneer.ports.demand import Demand
from veneer.ports.streams import InterimSink

if TYPE_CHECKING:
    from veneer.ports.upstream import UpstreamResponse


@mypyc_attr(allow_interpreted_subclasses=True)
class FirstBytesHandler:
    """Who has sent a request over a lease. Its calls come from the callback that reads the socket: none may wait."""

    __slots__ = ()

    @abstractmethod
    def take(self, raw: bytes) -> bool:
        """See the first bytes of the response as they came; whether they are one whole response, and understood.

        After True the exchange is over, and the connection may carry the next. After False `pass_on` follows.
        """

    @abstractmethod
    def pass_on(self) -> None:
        """The response has to be awaited from the lease. Called once, unless `take` was True."""

    @abstractmethod
    def interim(self, head: ResponseHead) -> None:
        """Relay a 1xx response, as an `InterimSink`."""


@mypyc_attr(allow_interpreted_subclasses=True)
class LeasedConnection:
    """A connection of an upstream, for one exchange. It has to be given back or sent over.

    `target` is to which of several targets it leads, empty where the upstream is one backend.
    """

    __slots__ = ("target",)
    target: str

    @abstractmethod
    def give_back(self) -> None:
        """Nothing is to be sent."""

    @abstractmethod
    def send(
        self, request: bytes, first: FirstBytesHandler, read_timeout_s: float | None, *, may_repeat: bool = True
    ) -> None:
        """Send a request whose head and content these bytes are (`Upstream.head_bytes`); `first` sees what comes.

        It is sent once more over another connection where that may be done (RFC 9110 section 9.2.2), which is for the
        caller to say.
        """

    @abstractmethod
    async def response(self, on_interim: InterimSink) -> UpstreamResponse:
        """The response when it was passed on, once its final head is here. Raises UpstreamError.

        `on_interim` takes 1xx responses where the request has to be sent once more.
        """

    @abstractmethod
    def watch(self, demand: Demand) -> None:
        """The exchange under way gives way to others when nobody waits for it, as `Upstream.exchange` says."""

    @abstractmethod
    def abort(self) -> None:
        """Close the connection: the response is wanted no more."""
