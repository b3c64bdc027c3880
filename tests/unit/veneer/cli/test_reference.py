"""What operators read of the command line is what is taken."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from devstack.process import ROOT
from veneer.cli.main import main
from veneer.cli.reference import render

PAGE = ROOT / "docs" / "cli.md"


def test_the_page_is_that_of_the_parsers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VENEER_POLICIES", "VENEER_UPSTREAM", "VENEER_REDIS", "VENEER_ADMIN"):
        monkeypatch.delenv(name, raising=False)
    assert PAGE.read_text("utf-8") == render(), "run `python -m veneer.cli.reference docs/cli.md`"


def test_each_command_and_each_flag_of_its_help_is_on_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    page = PAGE.read_text("utf-8")
    commands = re.findall(r"^### veneer (.+)$", page, re.MULTILINE)
    assert {"serve", "status", "purge", "changes wait"} <= set(commands)
    for command in commands:
        with pytest.raises(SystemExit):
            main([*command.split(), "--help"])
        section = page.partition(f"### veneer {command}\n")[2].partition("\n### ")[0]
        for flag in re.findall(r"^\s+(--[a-z-]+)", capsys.readouterr().out, re.MULTILINE):
            assert f"`{flag}" in section or flag in section, (command, flag)


def test_it_is_written_where_it_is_told(tmp_path: Path) -> None:
    from veneer.cli.reference import main as write

    assert (write([str(tmp_path / "a.md")]), write([])) == (0, 2)
    assert (tmp_path / "a.md").read_text("utf-8") == render()
