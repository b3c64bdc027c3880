"""Shells complete what there is."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from veneer.cli.flags import SHELLS
from veneer.cli.main import main


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_names_every_command_and_is_one_that_the_shell_reads(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for command in ("serve", "check-policies", "status", "purge", "tail", "completion"):
        assert command in script
    program = shutil.which(shell)
    if program is not None:
        ended = subprocess.run([program, "-n"], input=script, capture_output=True, text=True, timeout=30, check=False)
        assert (ended.returncode, ended.stderr) == (0, "")
