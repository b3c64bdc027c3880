"""Pages of commands that readers paste: what the commands print, run one after the other, and what the page says."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from devstack.process import free_port

INSTALLS = "pip install"  # which tests/system/test_wheels.py does
TTL = re.compile(r"ttl=\d+")
BLOCK = re.compile(r"```(sh|text)\n(.*?)```", re.DOTALL)


def assert_shows_what_it_says(page: Path, folder: Path, programs: Sequence[Path], ports: Sequence[str]) -> None:
    """Run the page's commands in the folder, with free ports in place of these, and look for all that it shows.

    The ports are replaced in the folder's policies as well.
    """
    blocks = BLOCK.findall(page.read_text("utf-8"))
    script = "\n".join(text for kind, text in blocks if kind == "sh" and INSTALLS not in text)
    script = script.replace("&\n", ">/dev/null &\n")
    for port in ports:
        free = str(free_port())
        script = script.replace(port, free)
        for file in folder.glob("*.yaml"):
            file.write_text(file.read_text("utf-8").replace(port, free), "utf-8")
    printed = TTL.sub("ttl=", _run(script, folder, programs).replace("\r", ""))
    errors = (folder / "errors").read_text("utf-8", "replace")
    shown = [text for kind, text in blocks if kind == "text"]
    assert shown
    for text in shown:
        assert TTL.sub("ttl=", text) in printed, printed + errors


def _run(script: str, folder: Path, programs: Sequence[Path]) -> str:
    """What the script prints; what it leaves running is ended with it."""
    environment = dict(os.environ, PATH=os.pathsep.join([*map(str, programs), os.environ["PATH"]]))
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
