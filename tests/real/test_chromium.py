"""Chromium on a page that fetches, reloads, changes, listens to events and talks over a WebSocket."""

from __future__ import annotations

import html
import re
from pathlib import Path

import msgspec
import pytest

from devstack.process import Launch
from tests.real.support.both import Both, Site, launch
from tests.real.support.install import debian, node_group
from tests.real.support.run import run

pytestmark = [pytest.mark.timeout(600)]

OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--no-proxy-server",
]


def site_for_a_browser(port: int, directory: Path) -> Launch:
    return launch("node", node_group("node").script("browser.js", str(port)), directory)


@pytest.mark.parametrize("query", ["", "?socket"])
def test_a_page_sees_the_same(both: Both, query: str) -> None:
    debian("chromium", "chromium")

    def steps(site: Site) -> object:
        options = [*OPTIONS, f"--user-data-dir={site.directory / 'profile'}", "--dump-dom"]
        env = {"HOME": str(site.directory)}
        shown = run(["chromium", *options, f"{site.url}/{query}"], env=env, timeout_s=60)
        found = re.search(r'<pre id="out">(.+?)</pre>', shown, re.DOTALL)
        assert found, shown
        return msgspec.json.decode(html.unescape(found[1]))

    straight, through = both.run(site_for_a_browser, steps)
    assert through == straight
