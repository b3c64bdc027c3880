"""The page that newcomers begin with: its commands, pasted one after the other, show what the page says they show."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.process import ROOT, free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

PAGE = (ROOT / "docs" / "start.md").read_text("utf-8")
BLOCKS = re.findall(r"```(sh|text)\n(.*?)```", PAGE, re.DOTALL)
PORTS = ("7071", "8080", "9090")
INSTALLS = "pip install"  # which tests/system/test_wheels.py does
TTL = re.compile(r"ttl=\d+")


def _run(script: str, folder: Path) -> str:
    """What the script prints; what it leaves running is ended with it."""
    environment = dict(os.environ, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    command = ["bash", "-e", "-o", "pipefail", "-c", script]
    with (
        (folder / "errors").open("wb") as errors,
        subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        ) as shell,
    ):
        try:
            return shell.communicate(timeout=100)[0]
        finally:
            os.killpg(shell.pid, signal.SIGKILL)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page is written for curl")
def test_the_page_shows_what_it_says(tmp_path: Path) -> None:
    commands = [text for kind, text in BLOCKS if kind == "sh" and INSTALLS not in text]
    shown = [text for kind, text in BLOCKS if kind == "text"]
    script = "\n".join(commands).replace("&\n", ">/dev/null &\n")
    for port in PORTS:
        script = script.replace(port, str(free_port()))
    printed = TTL.sub("ttl=", _run(script, tmp_path).replace("\r", ""))
    errors = (tmp_path / "errors").read_text("utf-8", "replace")
    for text in shown:
        assert TTL.sub("ttl=", text) in printed, errors
