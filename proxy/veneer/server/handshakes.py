"""Why a TLS handshake failed, in words that can be counted, and what a client gets that does not speak TLS at all."""

from __future__ import annotations

import ssl
from typing import Final

from veneer.server.lobby import Refused

_TEXT: Final = b"This port speaks TLS: ask it with https://\n"
PLAIN_HTTP: Final = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
    % (len(_TEXT), _TEXT)
)
"""What a client gets that sends a request without TLS."""

_NOT_TLS: Final = frozenset({"HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "WRONG_VERSION_NUMBER", "UNEXPECTED_MESSAGE"})
_NOTHING_IN_COMMON: Final = frozenset(
    {"UNSUPPORTED_PROTOCOL", "NO_SHARED_CIPHER", "VERSION_TOO_LOW", "NO_SUITABLE_SIGNATURE_ALGORITHM"}
    | {"NO_SUITABLE_KEY_SHARE", "TLSV1_ALERT_PROTOCOL_VERSION", "SSLV3_ALERT_HANDSHAKE_FAILURE"}
)


def why_failed(error: ssl.SSLError) -> Refused:
    """The reason of a failed handshake, by OpenSSL's word for it."""
    word = error.reason or ""
    if word in _NOT_TLS:
        return Refused.NOT_TLS
    if word in _NOTHING_IN_COMMON:
        return Refused.NO_COMMON_TLS
    if "ALERT" in word and ("CERTIFICATE" in word or "UNKNOWN_CA" in word):
        return Refused.CERTIFICATE
    return Refused.TLS
