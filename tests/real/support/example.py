"""An example's service and Veneer before it, with the example's own policies, and what both say to the same request."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from devstack.process import Launch, ManagedProcess, port_is_open
from devstack.proxy import ProxyOptions, ProxyServer
from tests.real.support.install import EXAMPLES, python_group
from tests.support.client import Answer, fetch
from tests.support.pages import assert_shows_what_it_says

MOST_LINES = 30
CSRF = re.compile(rb'name="csrfmiddlewaretoken" value="\w+"')


@dataclass(frozen=True, slots=True)
class Running:
    """Where the service and the proxy listen."""

    service: str
    proxy: ProxyServer

    def straight(self, method: str, path: str, fields: Mapping[str, str], body: bytes | None = None) -> Answer:
        """What the service says, which nobody stands before."""
        return fetch(self.service + path, method, headers=self._of(fields), body=body)

    def through(self, method: str, path: str, fields: Mapping[str, str], body: bytes | None = None) -> Answer:
        """What Veneer says."""
        return fetch(self.proxy.url + path, method, headers=self._of(fields), body=body)

    def _of(self, fields: Mapping[str, str]) -> dict[str, str]:
        # One name for both: links and redirects are made of it.
        return {"Host": "127.0.0.1", **fields}


def policies(name: str) -> Path:
    """The example's policies."""
    file = EXAMPLES / name / "policies.yaml"
    assert file.read_text("utf-8").count("\n") <= MOST_LINES
    return file


@contextmanager
def running(launch: Launch, port: int, file: Path, env: Mapping[str, str]) -> Iterator[Running]:
    """Start the service and the proxy with these policies, and end both."""
    service, directory = ManagedProcess(launch), launch.log_path.parent
    options = ProxyOptions(f"http://127.0.0.1:{port}", file, env=dict(env))
    proxy = ProxyServer(options, directory)
    try:
        service.start()
        service.wait_ready(lambda: port_is_open(port))
        proxy.start()
        yield Running(f"http://127.0.0.1:{port}", proxy)
    finally:
        proxy.process.stop()
        service.stop()


def said(answer: Answer) -> tuple[int, bytes, str | None]:
    """What has to be the same on both ways. Django hides a CSRF token in another text each time."""
    return answer.status, CSRF.sub(b"token", answer.body), answer.header("Location")


def hit_rate(reads: Sequence[Answer]) -> float:
    """The share of these that Veneer answered from its store."""
    assert all(answer.header("Cache-Status") for answer in reads)
    return sum(answer.hit for answer in reads) / len(reads)


def blocks_of_page(name: str, kind: str) -> list[str]:
    """The blocks of this kind on the example's page, as they stand in a file."""
    found = re.findall(
        rf"^( *)```{kind}\n(.*?)^ *```", (EXAMPLES / name / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    return [dedent(text) for _, text in found]


def page_shows(name: str, directory: Path) -> None:
    """The commands of the example's page, pasted in its folder, print what the page says."""
    if shutil.which("curl") is None:
        pytest.skip("the page is written for curl")
    folder = Path(shutil.copytree(EXAMPLES / name, directory / name))
    programs = [Path(python_group(name).program("python")).parent, Path(sys.executable).parent]
    assert_shows_what_it_says(folder / "README.md", folder, programs, ("8000", "8080", "9090"))
