"""An HTTP server that keeps what is posted to it, for what leaves the proxy on threads of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.codings import decode


@dataclass(slots=True)
class Collector:
    """The posts so far as (path, body); `url` is where to post."""

    url: str = ""
    posts: list[tuple[str, bytes]] = field(default_factory=list)


@contextmanager
def collector(answers: threading.Event | None = None) -> Iterator[Collector]:
    """Run one on a free port of 127.0.0.1. It keeps what it gets, and answers once `answers` is set."""
    kept = Collector()

    class Keep(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.posts.append((self.path, decode(self.headers.get("Content-Encoding", ""), body)))
            if answers is not None:
                answers.wait()
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Keep)
    kept.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield kept
    finally:
        if answers is not None:
            answers.set()
        server.shutdown()
        thread.join()
        server.server_close()
