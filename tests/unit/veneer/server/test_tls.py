"""TLS on a connection, in memory: a real client's TLS on one side, what answers on the other."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from tests.support.certificates import Pair, new_pair
from veneer.policy.listener_tls import CertificatePair, ListenerTls, server_context
from veneer.server.lobby import Lobby, Refused
from veneer.server.tls import PIECE_BYTES, TlsConnection

HIGH = 64 * 1024


class Socket:
    """The loop's transport, as `Outer`: it takes what it is given while it is `open`, and then fills up."""

    def __init__(self) -> None:
        self.protocol: TlsConnection | None = None
        self.sent = bytearray()
        self.held = bytearray()
        self.open = True
        self.closed = self.aborted = self.reading_paused = False
        self.high = HIGH

    def write(self, data: bytes) -> None:
        assert not self.closed
        if self.open:
            self.sent += data
            return
        self.held += data
        if len(self.held) > self.high and self.protocol is not None:
            self.protocol.pause_writing()

    def let(self) -> None:
        """The client reads again."""
        self.open = True
        self.sent += self.held
        self.held.clear()
        if self.protocol is not None:
            self.protocol.resume_writing()

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading_paused = True

    def resume_reading(self) -> None:
        self.reading_paused = False

    def is_paused(self) -> bool:
        return self.reading_paused

    def get_write_buffer_size(self) -> int:
        return len(self.held)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = HIGH if high is None else high

    def get_extra_info(self, name: str, default: object = None) -> object:
        return ("192.0.2.1", 4711) if name == "peername" else default


class Answering:
    """What answers: it notes what it is told."""

    def __init__(self) -> None:
        self.transport: TlsConnection | None = None
        self.got = b""
        self.told: list[str] = []
        self.stays = True

    def heard(self) -> list[str]:
        return self.told

    def connection_made(self, transport: asyncio.BaseTransport, /) -> None:
        self.transport = cast("TlsConnection", transport)

    def connection_lost(self, exc: Exception | None, /) -> None:
        self.told.append("lost")

    def data_received(self, data: bytes, /) -> None:
        self.got += data

    def eof_received(self) -> bool:
        self.told.append("eof")
        return self.stays

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")


class Talk:
    """A client before a connection."""

    def __init__(self, server: ssl.SSLContext, client: ssl.SSLContext) -> None:
        self.lobby = Lobby(lambda delay, call: asyncio.get_running_loop().call_later(delay, call), 60)
        self.answering = Answering()
        self.later: list[Callable[[], None]] = []
        self.connection = TlsConnection(server, lambda: self.answering, self.lobby, self.later.append)
        self.socket = Socket()
        self.socket.protocol = self.connection
        self.connection.connection_made(self.socket)
        self._came, self._leaves = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = client.wrap_bio(self._came, self._leaves, server_hostname="localhost")

    def pass_on(self, *, step: int = 1 << 30) -> None:
        """What the client has written, in pieces of so many bytes, and what is sent back."""
        data = self._leaves.read()
        for start in range(0, len(data), step):
            self.connection.data_received(data[start : start + step])
        self._came.write(bytes(self.socket.sent))
        self.socket.sent.clear()

    def shake(self, *, step: int = 1 << 30) -> None:
        """Shake hands. Raises ssl.SSLError where the client refuses."""
        for _ in range(10):
            try:
                self.client.do_handshake()
            except ssl.SSLWantReadError:
                self.pass_on(step=step)
                continue
            finally:
                self.pass_on(step=step)
            return
        raise AssertionError("no handshake")

    def read(self) -> bytes:
        """All that has come to the client."""
        self.pass_on()
        found = bytearray()
        try:
            while data := self.client.read(1 << 20):
                found += data
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
        return bytes(found)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return new_pair(tmp_path_factory.mktemp("tls"), "localhost")


def context_of(pair: Pair, least: str = "1.2") -> ssl.SSLContext:
    return server_context(ListenerTls((CertificatePair(str(pair.certificate), str(pair.key)),), least))


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def client(request: pytest.FixtureRequest, pair: Pair) -> ssl.SSLContext:
    context = pair.trusting(least=request.param, most=request.param)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


@pytest.mark.parametrize("step", [1, 7, 1 << 30])
async def test_both_versions_carry_both_ways_whatever_the_pieces_are(
    pair: Pair, client: ssl.SSLContext, step: int
) -> None:
    talk = Talk(context_of(pair), client)
    talk.shake(step=step)
    assert talk.client.selected_alpn_protocol() == "http/1.1"
    assert (len(talk.lobby), talk.lobby.refused) == (0, {})
    sent = random.Random(1).randbytes(50_000)
    talk.client.write(sent[:100])
    talk.client.write(sent[100:])
    talk.pass_on(step=step)
    assert talk.answering.got[:16_000] == sent[:16_000]
    transport = talk.answering.transport
    assert transport is not None
    assert transport.get_extra_info("peername") == ("192.0.2.1", 4711)
    transport.write(b"answer")
    transport.writelines([b"a" * 10, b"b" * 20_000, b"c" * 300_000, b""])
    assert talk.read() == b"answer" + b"a" * 10 + b"b" * 20_000 + b"c" * 300_000


@pytest.mark.no_cover
async def test_what_the_socket_does_not_take_is_not_encrypted_and_the_order_stays(
    pair: Pair, client: ssl.SSLContext
) -> None:
    talk = Talk(context_of(pair), client)
    talk.shake()
    transport = talk.answering.transport
    assert transport is not None
    body = random.Random(2).randbytes(10_000_000)
    talk.socket.open = False
    transport.writelines([b"head", body])
    transport.write(b"tail")
    assert talk.answering.heard() == ["pause"]
    assert len(talk.socket.held) < HIGH + 2 * PIECE_BYTES, "the rest waits as it is"
    assert transport.get_write_buffer_size() > 9_000_000
    transport.close()
    assert not talk.socket.is_closing(), "what was written leaves first"
    talk.socket.let()
    assert talk.read() == b"head" + body + b"tail"
    assert talk.socket.is_closing()
    assert transport.get_write_buffer_size() == 0


async def test_the_one_who_answers_goes_on_when_the_socket_does(pair: Pair, client: ssl.SSLContext) -> None:
    talk = Talk(context_of(pair), client)
    talk.shake()
    transport = talk.answering.transport
    assert transport is not None
    talk.socket.open = False
    transport.write(b"x" * 200_000)
    talk.socket.let()
    assert talk.answering.heard() == ["pause", "resume"]
    talk.socket.open = False
    transport.set_write_buffer_limits(high=0)
    transport.write(b"y")
    assert talk.answering.heard() == ["pause", "resume", "pause"], "it waits for the last byte"


async def test_an_end_is_told_once_and_within_tls(pair: Pair, client: ssl.SSLContext) -> None:
    talk = Talk(context_of(pair), client)
    talk.shake()
    with pytest.raises(ssl.SSLWantReadError):
        talk.client.unwrap()
    talk.pass_on()
    assert talk.answering.heard() == ["eof"]
    assert talk.connection.eof_received()
    assert talk.answering.heard() == ["eof"]
    transport = talk.answering.transport
    assert transport is not None
    transport.write(b"still answered")
    transport.close()
    assert talk.read() == b"still answered"
    talk.client.unwrap()
    talk.connection.connection_lost(None)
    assert talk.answering.heard() == ["eof", "lost"]


async def test_a_client_that_is_not_waited_for_is_closed(pair: Pair, client: ssl.SSLContext) -> None:
    talk = Talk(context_of(pair), client)
    talk.shake()
    talk.answering.stays = False
    with pytest.raises(ssl.SSLWantReadError):
        talk.client.unwrap()
    talk.pass_on()
    assert talk.socket.is_closing()
    assert not talk.connection.eof_received()


async def test_reading_stops_and_goes_on_with_what_had_come(pair: Pair, client: ssl.SSLContext) -> None:
    talk = Talk(context_of(pair), client)
    talk.shake()
    transport = talk.answering.transport
    assert transport is not None
    transport.pause_reading()
    assert talk.socket.is_paused()
    talk.client.write(b"one")
    talk.client.write(b"two")
    talk.pass_on()
    assert talk.answering.got == b""
    transport.resume_reading()
    assert not talk.socket.is_paused()
    for call in talk.later:
        call()
    assert talk.answering.got == b"onetwo"


async def test_a_byte_that_was_changed_on_its_way_ends_the_connection(pair: Pair, client: ssl.SSLContext) -> None:
    talk = Talk(context_of(pair), client)
    talk.shake()
    talk.client.write(b"GET / HTTP/1.1\r\n\r\n")
    data = bytearray(talk._leaves.read())
    data[-1] ^= 1
    talk.connection.data_received(bytes(data))
    assert talk.answering.got == b""
    assert talk.socket.is_closing()


async def test_a_request_without_tls_gets_words_that_its_client_understands(pair: Pair) -> None:
    talk = Talk(context_of(pair), pair.trusting())
    talk.connection.data_received(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert bytes(talk.socket.sent).startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert talk.socket.sent.endswith(b"https://\n")
    assert (talk.socket.is_closing(), talk.lobby.refused) == (True, {"not-tls": 1})
    talk.connection.data_received(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    talk.connection.connection_lost(None)
    assert talk.lobby.refused == {"not-tls": 1}


async def test_bytes_that_are_nothing_are_counted(pair: Pair) -> None:
    talk = Talk(context_of(pair), pair.trusting())
    talk.connection.data_received(bytes(100))
    assert talk.socket.is_closing()
    assert sum(talk.lobby.refused.values()) == 1


async def test_a_client_of_an_older_version_is_told_so(pair: Pair) -> None:
    talk = Talk(context_of(pair, "1.3"), pair.trusting(most=ssl.TLSVersion.TLSv1_2))
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
        talk.shake()
    assert (talk.socket.is_closing(), talk.lobby.refused) == (True, {"no-common-tls": 1})


async def test_a_client_that_does_not_believe_the_certificate_is_counted_for_that(
    pair: Pair, client: ssl.SSLContext, tmp_path: Path
) -> None:
    other = new_pair(tmp_path, "localhost").trusting(least=client.minimum_version, most=client.maximum_version)
    talk = Talk(context_of(pair), other)
    with pytest.raises(ssl.SSLCertVerificationError):
        talk.shake()
    assert talk.lobby.refused == {"certificate": 1}


async def test_who_leaves_or_is_late_in_the_handshake_never_reaches_what_answers(pair: Pair) -> None:
    gone = Talk(context_of(pair), pair.trusting())
    gone.connection.connection_lost(None)
    assert gone.lobby.refused == {"gone": 1}
    late = Talk(context_of(pair), pair.trusting())
    assert not late.connection.eof_received()
    late.lobby._dismiss(late.connection, Refused.LATE)
    assert (late.socket.aborted, late.answering.transport) == (True, None)
