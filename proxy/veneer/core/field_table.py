"""What this proxy has to know of single fields: one line for each field, one flag for each thing to know.

Rules take their sets from here (`fields_with`), so that a field is described once for all readers of heads.
"""

from __future__ import annotations

from enum import Flag, auto
from typing import Final


class Use(Flag):
    """What a field has to do with. Several may hold."""

    HOP = auto()
    """Hop-by-hop: never crosses this proxy (RFC 9110 section 7.6.1, RFC 9111 section 3.1)."""
    ALL = auto()
    """For every recipient: Connection may not name it, and does so only in attacks that want a protection removed."""
    FRAMING = auto()
    """How the message is read, or what crosses the connection after it: a request with it is for the whole parser."""
    WRITTEN = auto()
    """Written by whoever sends a message, whatever he was given: how it is framed, and what the connection is for."""
    ASKED = auto()
    """Written so in requests: where they go, and what the next recipient is asked for."""
    STEP = auto()
    """Of a request, for its next recipient: this proxy drops it, and asks for the same where it wants that."""
    CHOICE = auto()
    """What the right answer to this one request is, beyond what the fast path looks at."""
    ONCE = auto()
    """Says something of one response, or of the exchange that brought it, and of no other."""
    DIGEST = auto()
    """A digest of the content of one message (RFC 9530 section 2, and what S3 and its clients use for it): it holds for
    no other content made of it. boto3 fails on one beside a 304, or beside a part."""
    CONTENT = auto()
    """The length or the place of one message's content."""
    PEERS = auto()
    """Where proxies tell whom they serve. A trusted peer's are believed; what of them a response may depend on is part
    of the cache key (core.key.KEYED_FORWARDING_FIELDS)."""


FIELDS: Final = {
    "age": Use.ONCE,
    "authorization": Use.ALL,
    "cache-control": Use.ALL | Use.CHOICE,
    "cache-group-invalidation": Use.ONCE,
    "cache-status": Use.ONCE,
    "cdn-cache-control": Use.ALL,
    "connection": Use.HOP | Use.WRITTEN,
    "content-digest": Use.DIGEST,
    "content-encoding": Use.ALL | Use.CHOICE,
    "content-length": Use.ALL | Use.CHOICE | Use.CONTENT | Use.WRITTEN,
    "content-md5": Use.DIGEST,
    "content-range": Use.ALL | Use.ONCE | Use.CONTENT,
    "content-type": Use.ALL | Use.CHOICE,
    "cookie": Use.ALL,
    "date": Use.ALL,
    "digest": Use.DIGEST,
    "expect": Use.FRAMING | Use.ASKED | Use.STEP,
    "expires": Use.ALL,
    "forwarded": Use.PEERS,
    "host": Use.ALL | Use.ASKED,
    "http2-settings": Use.FRAMING | Use.STEP,
    "if-match": Use.CHOICE,
    "if-range": Use.CHOICE,
    "if-unmodified-since": Use.CHOICE,
    "keep-alive": Use.HOP | Use.WRITTEN,
    "max-forwards": Use.CHOICE,
    "no-vary-search": Use.ONCE,
    "pragma": Use.CHOICE,
    "proxy-authenticate": Use.HOP,
    "proxy-authentication-info": Use.HOP,
    "proxy-authorization": Use.HOP,
    "proxy-connection": Use.HOP | Use.ASKED,
    "range": Use.CHOICE,
    "sec-websocket-key1": Use.FRAMING,
    "set-cookie": Use.ALL | Use.ONCE,
    "set-cookie2": Use.ONCE,
    "te": Use.HOP | Use.FRAMING,
    "traceparent": Use.CHOICE,
    "trailer": Use.FRAMING | Use.ONCE,
    "transfer-encoding": Use.HOP | Use.FRAMING | Use.WRITTEN,
    "upgrade": Use.HOP | Use.FRAMING | Use.ASKED,
    "vary": Use.ALL,
    "via": Use.ONCE,
    "warning": Use.ONCE,
    "x-amz-checksum-crc32": Use.DIGEST,
    "x-amz-checksum-crc32c": Use.DIGEST,
    "x-amz-checksum-crc64nvme": Use.DIGEST,
    "x-amz-checksum-sha1": Use.DIGEST,
    "x-amz-checksum-sha256": Use.DIGEST,
    "x-cache-invalidate": Use.ONCE,
    "x-forwarded-for": Use.PEERS,
    "x-forwarded-host": Use.PEERS,
    "x-forwarded-port": Use.PEERS,
    "x-forwarded-prefix": Use.PEERS,
    "x-forwarded-proto": Use.PEERS,
    "x-real-ip": Use.PEERS,
    "x-request-id": Use.ONCE,
    "x-response-time": Use.ONCE,
}
"""Names in lower case. A field that is not here means nothing to this proxy by itself."""


def fields_with(use: Use) -> frozenset[str]:
    """The names of the fields that have any of these flags."""
    return frozenset(name for name, known in FIELDS.items() if known & use)


HOP_BY_HOP: Final = fields_with(Use.HOP)
CONNECTION_MAY_NOT_NAME: Final = fields_with(Use.ALL)
CONTENT_DIGESTS: Final = fields_with(Use.DIGEST)
FORWARDING: Final = fields_with(Use.PEERS)
"""The sets that several rules are made of."""
