"""What an open backend is, whatever it is made of."""

from __future__ import annotations

from typing import Protocol

from veneer.core.messages import RequestHead
from veneer.ports import Upstream, UpstreamResponse
from veneer.upstream.gate import Load


class OpenUpstream(Upstream, Protocol):
    """A backend, a look at it for who watches, and the way to let it go."""

    async def look(self, request: RequestHead) -> UpstreamResponse:
        """An exchange that waits for nothing that requests hold. Raises UpstreamError, also where they are refused."""
        ...

    def load(self) -> Load:
        """How the backend stands."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...
