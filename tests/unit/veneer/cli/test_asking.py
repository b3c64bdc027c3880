"""Policies judged by what a backend answers, asked for on loopback."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from veneer.cli.check_policies import check_policies
from veneer.cli.explain import explain_request
from veneer.cli.flags import add_check_policies_flags, add_explain_flags

SEEN: list[tuple[str, dict[str, str]]] = []


class Backend(BaseHTTPRequestHandler):
    """Says a lifetime of its own, whatever is asked for."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        SEEN.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        self.send_response(200)
        self.send_header("Cache-Control", "s-maxage=3600")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    SEEN.clear()
    with HTTPServer(("127.0.0.1", 0), Backend) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def file(tmp_path: Path, url: str) -> Path:
    path = tmp_path / "policies.yaml"
    path.write_text(f"""\
upstreams: {{b: {{url: "{url}/base"}}}}
routes: [{{name: a, match: {{path: "/a/{{rest:path}}"}}, cache: {{ttl: 10s}}}}]
tests:
  - {{request: {{path: /a/bare}}, expect: {{ttl: 10s}}}}
  - {{request: {{path: /a/given}}, response: {{status: 203}}, expect: {{ttl: 10s}}}}
  - {{request: {{method: POST, path: /a/b}}, expect: {{route: a}}}}
""")
    return path


def check(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    add_check_policies_flags(parser)
    return check_policies(parser.parse_args(argv), {})


def explain(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    add_explain_flags(parser, {})
    return explain_request(parser.parse_args(argv), {})


def test_a_test_without_a_response_is_judged_by_the_backend_s(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(str(file)) == 0
    assert SEEN == []
    assert check("--ask", str(file)) == 1
    assert [path for path, _ in SEEN] == ["/base/a/bare"]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert f"{file}:4:41: tests[0].expect.ttl: test failed for GET /a/bare, as it is answered now: " in lines[0]
    assert "fresh for 1h, by the backend's s-maxage; the route's ttl of 10s does nothing beside it" in lines[0]


def test_explain_shows_what_the_backend_answers(file: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    fields = ("-H", "Accept-Encoding: br", "-H", "Authorization: Bearer t")
    assert explain("/a/b?c", "--policies", str(file), "--ask", *fields) == 0
    ((path, sent),) = SEEN
    assert path == "/base/a/b?c"
    assert sent == {"host": url.removeprefix("http://"), "authorization": "Bearer t"}
    out = capsys.readouterr().out
    assert "is stored, fresh for 1h (explicit)" in out
    assert explain("/a/b", "--policies", str(file), "--ask", "--host", "www.test") == 0
    assert SEEN[-1][1]["host"] == "www.test"


def test_what_could_change_something_is_not_sent(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain("/a/b", "--policies", str(file), "--ask", "--method", "POST") == 1
    assert "POST is not sent: it could change something" in capsys.readouterr().err
    assert SEEN == []


def test_a_backend_that_is_away_is_said_to_be(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(file.read_text().replace("http://127.0.0.1:", "http://127.0.0.1:1/"))
    assert check("--ask", str(file)) == 1
    assert "tests[0].request: http://127.0.0.1:1/" in capsys.readouterr().err
    assert explain("/a/b", "--policies", str(file), "--ask") == 1
    assert "gave no answer to GET /a/b: " in capsys.readouterr().err
