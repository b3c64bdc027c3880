"""`veneer changes wait` asks a proxy's admin listener, and says why it was refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from veneer.cli.main import main


class Admin(HTTPServer):
    """Answers every request alike and keeps them."""

    status, body = 200, b'{"source": "main", "lsn": "0/A", "acknowledged": ["b"], "expired": [], "duration_ms": 1}'

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, object, str | None]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Admin

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, body, self.headers["Authorization"]))
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def admin() -> Iterator[Admin]:
    server = Admin()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_asks_for_what_was_said(admin: Admin, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--source", "main", "--lsn", "0/9", "--timeout", "3", "-H", "Authorization: Bearer x"]
    assert main(["changes", "wait", "--admin", admin.url, *words]) == 0
    assert admin.asked == [("/changes/wait", {"source": "main", "lsn": "0/9", "timeout": 3.0}, "Bearer x")]
    assert capsys.readouterr().out == "main: applied by every live node up to 0/A\n"
    assert main(["changes", "wait", "--admin", admin.url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["acknowledged"] == ["b"]
    assert admin.asked[1][1] == {"source": "", "lsn": "", "timeout": 10.0}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"status": 504, "detail": "the source main is at 0/1"}', "the source main is at 0/1"),
        (b'{"title": "Unauthorized"}', "Unauthorized"),
        (b"[]", "[]"),
        (b"plain text\n", "plain text"),
    ],
)  # fmt: skip
def test_a_refusal_is_said_and_a_failure(
    admin: Admin, body: bytes, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    admin.status, admin.body = 504, body
    assert main(["changes", "wait", "--admin", admin.url]) == 1
    assert capsys.readouterr().err == f"{says}\n"


def test_nobody_there_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["changes", "wait", "--admin", "http://127.0.0.1:1"]) == 1
    assert "http://127.0.0.1:1 gave no answer: " in capsys.readouterr().err
