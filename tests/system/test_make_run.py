"""`make run`: everything starts from one command, the printed examples work, and nothing stays behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import psycopg2
import pytest

from devstack.process import Launch, ManagedProcess, free_port, port_is_open, wait_until
from tests.support.client import fetch
from tests.support.processes import is_alive, live_children

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

READY_LINE = "Ctrl-C stops everything."


class Run:
    """One `python -m devstack` with ports and state of its own."""

    def __init__(self, state: Path, env: dict[str, str], *, proxy_port: int | None = None) -> None:
        self.backend_port, self.admin_port = free_port(), free_port()
        self.proxy_port = proxy_port or free_port()
        argv = [sys.executable, "-m", "devstack", "--size", "tiny", "--state", str(state)]
        argv += ["--backend-port", str(self.backend_port), "--proxy-port", str(self.proxy_port)]
        argv += ["--admin-port", str(self.admin_port)]
        cleared = {"DATABASE_URL": "", "REDIS_URL": ""}
        self.process = ManagedProcess(Launch("run", argv, state.with_suffix(".log"), {**cleared, **env}))

    def start(self) -> None:
        before = self.process.log_text().count(READY_LINE)
        self.process.start()
        self.process.wait_ready(lambda: self.process.log_text().count(READY_LINE) > before, timeout_s=120)

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def error_lines(self) -> list[str]:
        return [line for line in self.process.log_lines() if line.startswith("error:")]

    def child(self, word: str) -> psutil.Process:
        (found,) = (one for one in live_children(self.process.pid) if word in " ".join(one.cmdline()))
        return found


@pytest.fixture
def new_run() -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="veneer-run-", ignore_cleanup_errors=True) as directory:

        def make(*, proxy_port: int | None = None, **env: str) -> Run:
            one = Run(Path(directory) / f"state{len(runs)}", env, proxy_port=proxy_port)
            runs.append(one)
            return one

        yield make
        for one in runs:
            one.process.stop(30)


def _all_gone(family: list[psutil.Process]) -> bool:
    return not any(map(is_alive, family))


def _curl_lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.startswith("  curl ")]


def _shell(line: str, token: str) -> str:
    done = subprocess.run(
        ["bash", "-c", line], env={**os.environ, "TOKEN": token}, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_printed_examples_do_what_they_say_and_ctrl_c_leaves_nothing(new_run: Callable[..., Run]) -> None:
    run = new_run()
    run.start()
    text = run.process.log_text()
    family = run.family()
    assert len(family) >= 4, family
    for port in (run.backend_port, run.proxy_port, run.admin_port):
        assert f"http://127.0.0.1:{port}" in text

    if shutil.which("curl") is not None:
        _try_the_examples(text)
    run.process.send(signal.SIGINT)
    assert run.process.wait(30)
    assert run.process.exit_code == 0
    assert wait_until(lambda: _all_gone(family), timeout_s=5), [one for one in family if one.is_running()]
    assert not any(port_is_open(port) for port in (run.backend_port, run.proxy_port, run.admin_port))
    assert "Traceback" not in run.process.log_text()


def _try_the_examples(text: str) -> None:
    found = re.search(r"TOKEN=(\S+)", text)
    assert found is not None
    token = found[1]
    twice, not_modified, brotli, write, purge, wait, read = _curl_lines(text)
    first, second = _shell(twice, token), _shell(twice, token)
    assert "HTTP/1.1 200" in first
    assert re.search(r"(?i)cache-status:.*fwd=", first), first
    assert re.search(r"(?i)cache-status:.*hit", second), second
    assert _shell(not_modified, token) == "304\n"
    assert 0 < int(_shell(brotli, token)) < int(_shell(brotli.replace("br'", "identity'"), token)) / 3
    assert "Ada Veneer" in _shell(write, token)
    user_url = write.split()[-1]
    assert b"Ada Veneer" in fetch(user_url, headers={"Authorization": f"Bearer {token}"}).body
    assert "position" in _shell(purge, token)
    assert re.search(r"(?i)cache-status:.*fwd=", _shell(twice, token))
    _write_behind_the_proxy(text, token, wait, read)


def _write_behind_the_proxy(text: str, token: str, wait: str, read: str) -> None:
    found = re.search(r"^  psql '(\S+)' -c \"(.*)\"$", text, re.MULTILINE)
    assert found is not None
    shown = read.replace("curl -s", "curl -s -D -")
    assert "Ada Veneer" in _shell(shown, token)
    assert re.search(r"(?i)cache-status:.*hit", _shell(shown, token))
    with closing(psycopg2.connect(found[1])) as database, database, database.cursor() as cursor:
        cursor.execute(found[2])
    assert '"source":"etter"' in _shell(wait, token)
    assert "Grace Veneer" in _shell(shown, token)


def test_sigterm_stops_everything_and_even_a_killed_run_leaves_nothing(new_run: Callable[..., Run]) -> None:
    run = new_run()
    run.start()
    family = run.family()
    run.process.send(signal.SIGTERM)
    assert run.process.wait(30)
    assert run.process.exit_code == 0
    assert wait_until(lambda: _all_gone(family), timeout_s=5)

    run.start()
    assert fetch(f"http://127.0.0.1:{run.admin_port}/health").status == 200
    if sys.platform == "linux":  # only Linux tells children that their parent has died
        family = run.family()
        os.kill(run.process.pid, signal.SIGKILL)
        assert wait_until(lambda: _all_gone(family), timeout_s=20), [one for one in family if one.is_running()]


def test_given_servers_are_used_and_a_dying_part_takes_the_rest_along(
    new_run: Callable[..., Run], etter_database_url: str, redis_url: str
) -> None:
    run = new_run(DATABASE_URL=etter_database_url, REDIS_URL=redis_url)
    run.start()
    family = run.family()
    commands = " ".join(" ".join(one.cmdline()) for one in family)
    assert "redis-server" not in commands
    assert "bin/postgres" not in commands
    assert redis_url in commands
    assert etter_database_url in run.process.log_text()

    run.child("etter serve").send_signal(signal.SIGKILL)
    assert run.process.wait(30)
    assert run.process.exit_code == 1
    (line,) = run.error_lines()
    assert "backend ended by itself (exit code -9)" in line
    assert wait_until(lambda: _all_gone(family), timeout_s=5)


def test_a_taken_port_is_one_line(new_run: Callable[..., Run]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        run = new_run(proxy_port=listener.getsockname()[1])
        run.process.start()
        assert run.process.wait(30)
    assert run.process.exit_code == 1
    assert run.process.log_lines() == run.error_lines()
    (line,) = run.error_lines()
    assert f"port {run.proxy_port} is taken" in line
    assert "--proxy-port" in line


def test_an_unreachable_database_is_one_line(new_run: Callable[..., Run]) -> None:
    run = new_run(
        DATABASE_URL=f"postgresql://nobody@127.0.0.1:{free_port()}/nothing", REDIS_URL="redis://127.0.0.1:1/0"
    )
    run.process.start()
    assert run.process.wait(60)
    assert run.process.exit_code == 1
    (line,) = run.error_lines()
    assert "backend schema failed" in line
    assert "Traceback" not in run.process.log_text()
