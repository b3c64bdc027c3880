"""The page that newcomers begin with: its commands, pasted one after the other, show what the page says they show."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from devstack.process import ROOT
from tests.support.pages import assert_shows_what_it_says

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page is written for curl")
def test_the_page_shows_what_it_says(tmp_path: Path) -> None:
    page = ROOT / "docs" / "start.md"
    assert_shows_what_it_says(page, tmp_path, [Path(sys.executable).parent], ("7071", "8080", "9090"))
