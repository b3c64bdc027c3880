"""What the shared rate store has done."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class RateCounts:
    """Since the start. `batches` of more than one request were taken, `refills` of these ahead of the requests.

    `batched` requests were admitted out of one without a call; `unspent` were left over, of which `given_back` do not
    count in Redis any longer.
    """

    calls: int = 0
    errors: int = 0
    refused_locally: int = 0
    batches: int = 0
    refills: int = 0
    batched: int = 0
    unspent: int = 0
    given_back: int = 0
    local_share: int = 0
    open: int = 0
    closed: int = 0
