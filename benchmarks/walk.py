"""How far a reader has to walk to follow one request: files, functions, calls, and moves from one file to another.

    python -m benchmarks.walk

One process with the memory store, run as written; counted are Python calls within `veneer`, from the request's first
byte to the log line of its answer. A request whose way is learned is counted after it was learned. Of several counts
the one with the fewest calls is told: timers of the process's own fall into the others.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from dataclasses import dataclass, field
from email.utils import formatdate
from itertools import count, pairwise
from pathlib import Path
from types import CodeType, FrameType

import veneer
from devstack.process import free_port
from veneer.core.listen_address import Address
from veneer.main.node import Node
from veneer.main.options import AdminOff, ServeOptions
from veneer.observe.observation import open_observation
from veneer.observe.settings import ObserveSettings
from veneer.policy.load import parse_policy

ROOT = str(Path(veneer.__file__).parent)
POLICY = """\
version: 1
upstreams: {{origin: {{url: "http://127.0.0.1:{port}"}}}}
rate_limits: {{clients: {{rate: 1000000/1s, key: client_ip}}}}
routes:
  - name: all
    match: {{path: "/{{rest:path}}"}}
    rate_limit: clients
    cache: {{ttl: 10m, tags: ["all"]}}
    invalidates: ["all"]
"""
BODY = b'{"id": 1, "name": "Company", "words": ["a", "b"]},' * 60
COUNTED = 3
"""So many times a request is counted."""
SETTLED_S = 0.3
"""After that nothing is going on any more."""


@dataclass(frozen=True, slots=True)
class Walk:
    """What was entered, in order."""

    entered: list[CodeType] = field(default_factory=list)

    def profile(self, frame: FrameType, event: str, _argument: object) -> None:
        """As sys.setprofile calls it."""
        if event == "call" and frame.f_code.co_filename.startswith(ROOT):
            self.entered.append(frame.f_code)

    def figures(self) -> tuple[int, int, int, int]:
        """Files, functions, calls, moves."""
        files = [code.co_filename for code in self.entered]
        moves = sum(one != other for one, other in pairwise(files))
        return len(set(files)), len(set(self.entered)), len(files), moves


@dataclass(frozen=True, slots=True)
class Request:
    """A request that is sent `learned` times before it is counted. NUMBER in it is another one each time."""

    name: str
    sent: str
    learned: int = 1


NUMBER = "@"


def _get(target: str, *fields: str) -> str:
    return "\r\n".join([f"GET {target} HTTP/1.1", "Host: site", *fields, "", ""])


CODED = "Accept-Encoding: gzip, br"
REQUESTS = (
    Request("GET hit, fast path", _get("/hit", CODED), learned=4),
    Request("GET hit, plain (Cache-Control sent)", _get("/hit", CODED, "Cache-Control: max-age=600")),
    Request("GET hit, aiohttp's way (TE sent)", _get("/hit", CODED, "TE: trailers")),
    Request("GET miss, first of its shape", _get(f"/first{NUMBER}", f"X-Shape-{NUMBER}: another"), learned=0),
    Request("GET miss, steady, coded", _get(f"/miss{NUMBER}", CODED), learned=6),
    Request("GET miss, steady, answered by the fast path", _get(f"/plain{NUMBER}"), learned=6),
    Request("PATCH with a tag", "PATCH /hit HTTP/1.1\r\nHost: site\r\nContent-Length: 2\r\n\r\n{}"),
)


def _serve_origin(listener: socket.socket) -> None:
    """Answer every request with the same, for ever."""
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_answer_all, args=(connection,), daemon=True).start()


def _answer_all(connection: socket.socket) -> None:
    fields = f"Content-Type: application/json\r\nDate: {formatdate(usegmt=True)}\r\nContent-Length: {len(BODY)}\r\n"
    head = f"HTTP/1.1 200 OK\r\n{fields}\r\n".encode()
    data = b""
    with connection:
        while piece := connection.recv(65536):
            data += piece
            if b"\r\n\r\n" in data:  # the content of a PATCH comes with its head
                data = b""
                connection.sendall(head + BODY)


async def _ask(port: int, sent: str) -> Walk:
    """Send it on a connection of its own; what was entered until nothing was going on any more."""
    walk = Walk()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.sleep(SETTLED_S)
    sys.setprofile(walk.profile)
    try:
        writer.write(sent.encode())
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(SETTLED_S)
    finally:
        sys.setprofile(None)
    writer.close()
    await asyncio.sleep(SETTLED_S)
    return walk


def _calls(figures: tuple[int, int, int, int]) -> int:
    return figures[2]


async def measure() -> list[tuple[str, tuple[int, int, int, int]]]:
    """The figures of each request, by its name."""
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_serve_origin, args=(listener,), daemon=True).start()
    policy = parse_policy(POLICY.format(port=listener.getsockname()[1]), "walk")
    port, found = free_port(), list[tuple[str, tuple[int, int, int, int]]]()
    options = ServeOptions(None, (Address("127.0.0.1", port),), None, None, AdminOff.OFF, 1, "json")
    with open_observation(ObserveSettings(), as_json=True) as observation:
        async with Node(options, policy, lambda: policy, observation):
            numbers = count()
            for request in REQUESTS:
                sent = [request.sent.replace(NUMBER, str(next(numbers))) for _ in range(request.learned + COUNTED)]
                figures = [(await _ask(port, each)).figures() for each in sent]
                found.append((request.name, min(figures[request.learned :], key=_calls)))
    return found


def main() -> None:
    """Print the table."""
    found = asyncio.run(measure())
    sys.stderr.write("| request | files | functions | calls | moves |\n|---|---|---|---|---|\n")
    for name, figures in found:
        sys.stderr.write(f"| {name} | {' | '.join(map(str, figures))} |\n")


if __name__ == "__main__":
    main()
