"""An admin listener that answers as it was told, and keeps what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer


class AdminStub(HTTPServer):
    """`answers` are by method and path without query; `token` is asked for where there is one."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, list[tuple[int, bytes]]] = {}
        self.token: str | None = None
        self.asked: list[tuple[str, bytes]] = []
        self.address = f"127.0.0.1:{self.server_port}"

    def answer(self, what: str, *bodies: bytes, status: int = 200) -> None:
        """Answer "GET /path" so, one after the other; the last one from then on."""
        self.answers[what] = [(status, body) for body in bodies]


class _Handler(BaseHTTPRequestHandler):
    server: AdminStub

    def do_GET(self) -> None:
        self._answer("GET", b"")

    def do_POST(self) -> None:
        self._answer("POST", self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, method: str, body: bytes) -> None:
        self.server.asked.append((f"{method} {self.path}", body))
        if self.server.token is not None and self.headers["Authorization"] != f"Bearer {self.server.token}":
            self._send(401, b'{"detail": "send the admin token"}')
            return
        waiting = self.server.answers.get(f"{method} {self.path.partition('?')[0]}")
        if waiting is None:
            self._send(404, b'{"title": "Not Found", "detail": "Not Found"}')
        else:
            self._send(*(waiting.pop(0) if len(waiting) > 1 else waiting[0]))

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        kind = "application/problem+json" if status in (400, 401, 404) else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def running_admin() -> Iterator[AdminStub]:
    """A stub that runs as long as the block."""
    server = AdminStub()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
