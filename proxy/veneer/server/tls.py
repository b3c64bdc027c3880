"""TLS between the loop's transport and the connection that answers (RFC 8446, RFC 5246).

asyncio's own way begins the handshake with the first byte, and keeps to itself what happens in it. Here something may
come before it (PROXY), it is bounded and counted (server.lobby), and nothing is encrypted before the socket takes it:
of a large body in the store only what is on its way exists a second time.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, cast

from veneer.server.handshakes import PLAIN_HTTP, why_failed
from veneer.server.lobby import Lobby, Refused
from veneer.server.tls_ports import Inner, Outer

RECORD_BYTES: Final = 16 * 1024
"""The most that one record holds (RFC 8446 section 5.1)."""
PIECE_BYTES: Final = 4 * RECORD_BYTES
"""So much is encrypted at once; then the socket is asked whether it takes more."""


class TlsConnection:
    """The protocol of the loop's transport, and the transport of `inner`, which is made once hands are shaken.

    It is not derived from asyncio's classes, so that it can be compiled. `later` is the loop's `call_soon`.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        inner: Callable[[], Inner],
        lobby: Lobby,
        later: Callable[[Callable[[], None]], object],
    ) -> None:
        self._make = inner
        self._inner: Inner | None = None
        self._lobby = lobby
        self._later = later
        self._came = ssl.MemoryBIO()
        self._leaves = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._came, self._leaves, server_side=True)
        self._outer: Outer | None = None
        self._unsent: deque[memoryview] = deque()
        self._outer_paused = False
        self._inner_paused = False
        self._reading = True
        self._ended = False
        self._closing = False

    # ---- what the loop calls

    def connection_made(self, transport: object) -> None:
        """Wait for the client to begin the handshake."""
        self._outer = cast("Outer", transport)
        self._lobby.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has left."""
        self._lobby.refuse(self, Refused.GONE)
        inner, self._inner = self._inner, None
        self._outer = None
        self._closing = True
        self._unsent.clear()
        if inner is not None:
            inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Records of the client's."""
        self._came.write(data)
        if self._inner is None and not self._shake():
            return
        self._read()

    def eof_received(self) -> bool:
        """The client sends no more, with or without having said so within TLS (RFC 8446 section 6.1).

        Whether its last request is whole its framing tells; so both ends are alike.
        """
        if self._inner is None:
            return False
        return self._client_ended()

    def pause_writing(self) -> None:
        """The socket takes no more for now."""
        self._outer_paused = True
        self._pause_inner()

    def resume_writing(self) -> None:
        """The socket takes more."""
        self._outer_paused = False
        self._send_rest()

    # ---- for the lobby

    def dismiss(self, why: Refused) -> None:  # noqa: ARG002 - what it is told does not differ
        """End it before it has begun."""
        self.abort()

    # ---- inside

    def _shake(self) -> bool:
        """Go on with the handshake; whether it is done."""
        outer = self._outer
        if outer is None or self._closing:
            return False
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush(outer)
            return False
        except ssl.SSLError as error:
            why = why_failed(error)
            self._lobby.refuse(self, why)
            if error.reason == "HTTP_REQUEST":
                outer.write(PLAIN_HTTP)
            else:
                self._flush(outer)  # an alert says why
            self._closing = True
            outer.close()
            return False
        self._lobby.leave(self)
        self._flush(outer)
        inner = self._inner = self._make()
        inner.connection_made(cast("asyncio.BaseTransport", self))
        return True

    def _read(self) -> None:
        """Hand on what has come; one record each time."""
        came, tls = self._came, self._tls
        while self._reading and (came.pending or tls.pending()):
            inner = self._inner
            if inner is None or self._closing:
                return
            try:
                data = tls.read(RECORD_BYTES)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                data = b""
            except ssl.SSLError:
                self._send_alert()
                return
            if not data:
                if not self._client_ended():
                    self.close()
                return
            inner.data_received(data)
        if self._leaves.pending and self._outer is not None:
            self._flush(self._outer)  # an answer to a change of keys (RFC 8446 section 4.6.3)

    def _client_ended(self) -> bool:
        """Tell the inner one once; whether the connection stays open."""
        inner = self._inner
        if inner is None or self._closing:
            return False
        if self._ended:
            return True
        self._ended = True
        return bool(inner.eof_received())

    def _send_alert(self) -> None:
        """What came is no TLS, or was changed on its way: nothing more of it can be believed."""
        if self._outer is not None:
            self._flush(self._outer)
            self._unsent.clear()
            self._closing = True
            self._outer.close()

    def _flush(self, outer: Outer) -> None:
        """Send what TLS has made."""
        data = self._leaves.read()
        if data:
            outer.write(data)

    def _pause_inner(self) -> None:
        if not self._inner_paused and self._inner is not None:
            self._inner_paused = True
            self._inner.pause_writing()

    def _send_rest(self) -> None:
        """Encrypt and send what waits, as far as the socket takes it."""
        unsent = self._unsent
        while unsent and not self._outer_paused:
            self._encrypt(unsent.popleft())
        if unsent or self._outer_paused:
            return
        if self._closing:
            self._say_goodbye()
        elif self._inner_paused and self._inner is not None:
            self._inner_paused = False
            self._inner.resume_writing()

    def _encrypt(self, data: memoryview) -> None:
        """Send these bytes; what the socket does not take now waits in front of all else."""
        outer = self._outer
        if outer is None:
            return
        tls, total = self._tls, len(data)
        start = 0
        while start < total:
            if self._outer_paused:
                self._unsent.appendleft(data[start:])
                self._pause_inner()
                return
            end = min(start + PIECE_BYTES, total)
            try:
                while start < end:
                    start += tls.write(data[start:end])
            except ssl.SSLError:
                self.abort()
                return
            self._flush(outer)

    def _say_goodbye(self) -> None:
        """Tell the end within TLS, so that nobody else can (RFC 8446 section 6.1), and close."""
        outer = self._outer
        if outer is None:
            return
        with suppress(ssl.SSLError):  # it waits for the client's word for it, and we do not
            self._tls.unwrap()
        self._flush(outer)
        outer.close()

    # ---- the transport

    def write(self, data: bytes) -> None:
        """Queue bytes."""
        outer = self._outer
        if outer is None or self._closing:
            return
        if self._unsent or self._outer_paused or len(data) > RECORD_BYTES:
            self._queue(memoryview(data))
            return
        try:
            self._tls.write(data)
        except ssl.SSLError:
            self.abort()
            return
        outer.write(self._leaves.read())

    def writelines(self, pieces: Sequence[bytes]) -> None:
        """Queue bytes in one go: small pieces in one record, large ones as they are."""
        small: list[bytes] = []
        size = 0
        for piece in pieces:
            if size + len(piece) > RECORD_BYTES:
                if small:
                    self.write(b"".join(small))
                small, size = [], 0
            small.append(piece)
            size += len(piece)
        if small:
            self.write(b"".join(small) if len(small) > 1 else small[0])

    def _queue(self, data: memoryview) -> None:
        if not data:
            return
        if self._unsent or self._outer_paused:
            self._unsent.append(data)
            self._pause_inner()
        else:
            self._encrypt(data)

    def close(self) -> None:
        """Close once all that is queued has left."""
        if self._closing:
            return
        self._closing = True
        if not self._unsent:
            self._say_goodbye()

    def abort(self) -> None:
        """Close at once."""
        self._closing = True
        self._unsent.clear()
        if self._outer is not None:
            self._outer.abort()

    def is_closing(self) -> bool:
        """Whether it is closed or about to be."""
        return self._closing or self._outer is None or self._outer.is_closing()

    def pause_reading(self) -> None:
        """Bring no more bytes."""
        self._reading = False
        if self._outer is not None:
            self._outer.pause_reading()

    def resume_reading(self) -> None:
        """Bring bytes again, first what has come already."""
        if self._reading:
            return
        self._reading = True
        if self._outer is not None:
            self._outer.resume_reading()
        self._later(self._read)

    def is_reading(self) -> bool:
        """Whether bytes are brought."""
        return self._reading and not self._closing

    def can_write_eof(self) -> bool:
        """No: who is told the end of one direction by TLS takes it for the end of both."""
        return False

    def get_write_buffer_size(self) -> int:
        """How many bytes are queued."""
        waiting = sum(map(len, self._unsent))
        return waiting if self._outer is None else waiting + self._outer.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """How many bytes may be queued before the protocol is told to pause."""
        if self._outer is not None:
            self._outer.set_write_buffer_limits(high, low)

    def get_extra_info(self, name: str, default: object = None) -> object:
        """What is known of the connection."""
        if name == "ssl_object":
            return self._tls
        if name == "sslcontext":
            return self._tls.context
        return default if self._outer is None else self._outer.get_extra_info(name, default)
