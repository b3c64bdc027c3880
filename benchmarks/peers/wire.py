"""Loads that wrk does not make: one request with its answer, a list of requests once, and a fixed rate."""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse

import msgspec
import numpy as np

from benchmarks.peers.certificate import trusting

END = b"\r\n\r\n"
PIECE = 256 * 1024
PATIENCE_NS = 10_000_000_000


class LoadError(RuntimeError):
    """A contender did not answer as it should; the text says how."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; field names in lower case."""

    status: int
    fields: dict[str, str]
    body: bytes


class Paced(msgspec.Struct, frozen=True):
    """Latency at a fixed rate, in microseconds, from the moment each request was due.

    `late_p99_us` is how long after that moment requests were sent: the load generator's own share.
    """

    per_second: float
    p50_us: float
    p99_us: float
    late_p99_us: float


def ask(port: int, request: bytes, *, secure: bool = False) -> Reply:
    """Send one request on a connection of its own, over TLS where the port is `secure`."""
    with ExitStack() as leaving:
        connection = leaving.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
        if secure:
            connection = leaving.enter_context(trusting().wrap_socket(connection))
        connection.sendall(request)
        answer = HTTPResponse(connection, method=request.partition(b" ")[0].decode())
        answer.begin()
        body = answer.read()
        fields = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, fields, body)


class Connection:
    """A client connection with at most one request under way."""

    __slots__ = ("_got", "due_ns", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due_ns = 0
        self._got = b""

    def receive(self) -> bool:
        """Read what is there; whether the answer is whole now. Raises LoadError for anything but a 2xx."""
        data = self.socket.recv(PIECE)
        if not data:
            raise LoadError("a connection was closed under load")
        data = self._got + data if self._got else data
        if len(data) < whole_size(data):
            self._got = data
            return False
        if not data.startswith(b"HTTP/1.1 2"):
            message = f"an unwanted answer under load: {data[:80]!r}"
            raise LoadError(message)
        self._got = b""
        return True


def whole_size(data: bytes) -> int:
    """The size of the response that begins `data`; one byte more than is there while that is not known."""
    end = data.find(END)
    if end == -1:
        return len(data) + 1
    at = data.find(b"Content-Length: ", 0, end)
    if at == -1:
        at = data[:end].lower().find(b"content-length: ")
    return end + 4 + (int(data[at + 16 : data.index(b"\r\n", at)]) if at != -1 else 0)


@contextmanager
def connected(port: int, connections: int) -> Iterator[tuple[select.epoll, dict[int, Connection]]]:
    """So many open connections by file number, and an epoll that watches them."""
    found: dict[int, Connection] = {}
    with select.epoll() as poll:
        try:
            for _ in range(connections):
                connection = Connection(port)
                found[connection.socket.fileno()] = connection
                poll.register(connection.socket, select.EPOLLIN)
            yield poll, found
        finally:
            for connection in found.values():
                connection.socket.close()


def drive(port: int, requests: Iterable[bytes], connections: int = 32) -> int:
    """Send each request once, as fast as answers come; returns how many. Raises LoadError."""
    waiting = iter(requests)
    sent = 0
    with connected(port, connections) as (poll, found):
        at_work: set[int] = set()

        def send(number: int) -> None:
            request = next(waiting, None)
            if request is None:
                at_work.discard(number)
                return
            found[number].socket.sendall(request)
            at_work.add(number)

        for number in found:
            send(number)
        while at_work:
            ready = poll.poll(20)
            if not ready:
                raise LoadError("no answer for 20 s")
            for number, _ in ready:
                if found[number].receive():
                    sent += 1
                    send(number)
    return sent


def paced(port: int, request: bytes, rate: float, seconds: float, connections: int = 64) -> Paced:
    """Send at a fixed mean rate with exponentially distributed gaps, whatever the answers do. Raises LoadError."""
    gaps = np.random.default_rng(1).exponential(1e9 / rate, int(rate * seconds))
    offsets: Sequence[int] = np.cumsum(gaps).astype(np.int64).tolist()
    with connected(port, connections) as (poll, found):
        return _pace(poll, found, request, offsets)


def _pace(poll: select.epoll, found: dict[int, Connection], request: bytes, offsets: Sequence[int]) -> Paced:
    clock = time.perf_counter_ns
    idle = deque(found.values())
    took_ns: list[int] = []
    late_ns: list[int] = []
    begin, position, total = clock(), 0, len(offsets)
    while len(took_ns) < total:
        now = clock()
        while position < total and (due := begin + offsets[position]) <= now and idle:
            connection = idle.popleft()
            connection.due_ns = due
            connection.socket.sendall(request)
            position += 1
            now = clock()
            late_ns.append(now - due)
        for number, _ in poll.poll(0):
            connection = found[number]
            if connection.receive():
                took_ns.append(clock() - connection.due_ns)
                idle.append(connection)
        if now > begin + offsets[-1] + PATIENCE_NS:
            raise LoadError("the rate was never reached")
    p50, p99 = np.percentile(took_ns, (50, 99)) / 1000
    late = float(np.percentile(late_ns, 99)) / 1000
    return Paced(total / ((clock() - begin) / 1e9), round(float(p50), 1), round(float(p99), 1), round(late, 1))
