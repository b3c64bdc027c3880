"""What cannot be the answer to the request that was sent."""

from __future__ import annotations

from veneer.core.messages import RequestHead
from veneer.core.validation import is_unasked_304
from veneer.ports import UpstreamError, UpstreamFailure, UpstreamResponse


async def asked_for(sent: RequestHead, response: UpstreamResponse) -> UpstreamResponse:
    """`response` where it can answer `sent`. Raises UpstreamError: a client that set no condition never gets a 304."""
    if not is_unasked_304(sent, response.head):
        return response
    await response.aclose()
    raise UpstreamError(UpstreamFailure.MALFORMED, "a 304 to a request without a condition", sent=True)
