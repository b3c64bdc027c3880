"""The records of a service: hosts, ports, weights and priorities (SRV, RFC 2782).

The system's resolver does not tell them, so they are asked for by dnspython, an extra (`veneer[srv]`).
"""

from __future__ import annotations

from typing import Final, NamedTuple

LOOK_UP_S: Final = 10.0
"""A look-up that takes longer is given up."""


class MissingResolverError(Exception):
    """The extra is not installed."""


class Destination(NamedTuple):
    """Where a target is: an address or a name, and a port. Of those of the lowest `rank` each has its `weight`."""

    at: str
    port: int
    weight: int
    rank: int = 0


class NameAnswer(NamedTuple):
    """Where a name leads to, and for how many seconds that holds; None where nobody has said so."""

    places: list[Destination]
    ttl_s: float | None = None


async def look_up_service(name: str) -> NameAnswer:
    """The records of the service. Raises OSError where there is no answer, MissingResolverError without the extra.

    The only record "." says that there is none (RFC 2782). A weight of 0 is one that is hardly chosen: 1 here.
    """
    try:
        import dns.asyncresolver  # noqa: PLC0415 - an extra
        import dns.exception  # noqa: PLC0415
    except ImportError as error:
        raise MissingResolverError("records of services need the extra veneer[srv]") from error
    try:
        found = await dns.asyncresolver.resolve(f"{name.rstrip('.')}.", "SRV", lifetime=LOOK_UP_S)
    except dns.exception.DNSException as error:
        raise OSError(str(error) or type(error).__name__) from error
    places = []
    for record in found:
        host = record.target.to_text(omit_final_dot=True)
        if host != ".":
            places.append(Destination(host, record.port, max(record.weight, 1), record.priority))
    return NameAnswer(places, None if found.rrset is None else float(found.rrset.ttl))


def domain_of(service: str) -> str:
    """The domain whose service it is: the name that who answers there has to be known by (RFC 9525 section 6.1).

    What the records say is no such name: whoever can forge them could write his own.
    """
    return service.split(".", 2)[2]
