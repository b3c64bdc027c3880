"""The admin page in a real browser: for its test, and for the pictures in docs (`python -m checks.page`).

Needs Chromium (Debian: chromium).
"""

from __future__ import annotations

import argparse
import http.server
import random
import shutil
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import perf_counter, sleep

from playwright.sync_api import Browser, Page, sync_playwright

from devstack.process import ROOT
from devstack.proxy import ProxyOptions, ProxyServer
from devstack.redis import RedisServer

PICTURES = ROOT / "docs" / "images"
SIZES = (("light", (1100, 1280)), ("dark", (1100, 560)), ("light", (390, 844)))
POLICY = """
version: 1
upstreams:
  shop: {{url: "{url}", health: {{path: /health}}}}
routes:
  - {{name: products, match: {{path: "/products/{{id}}"}}, cache: {{ttl: 1m, tags: ["product:{{id}}", products]}}}}
  - {{name: search, match: {{path: /search}}, cache: {{ttl: 10s, stale_while_revalidate: 30s}}}}
  - {{name: basket, match: {{path: /basket}}, cache: {{enabled: false}}}}
"""


def chromium() -> str | None:
    """Where Chromium is; None where it is not installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def browser() -> Iterator[Browser]:
    """A Chromium without a window."""
    path = chromium()
    if path is None:
        raise SystemExit("Chromium is not installed")
    with sync_playwright() as playwright:
        # Without a sandbox of its own, which root may not have; it sees this machine's pages alone.
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield opened
        finally:
            opened.close()


class _Shop(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        sleep(0.004 if self.path == "/health" else random.uniform(0.01, 0.06))
        missing = self.path.endswith("/13")
        body = b"missing" if missing else self.path.encode() * 40
        self.send_response(503 if missing else 200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(ConnectionError):
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the class it comes from has it
        """Nothing."""


@contextmanager
def shop(directory: Path, workers: int | None = None) -> Iterator[ProxyServer]:
    """A proxy over Redis before a small shop."""
    with ExitStack() as ends:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Shop)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ends.callback(server.server_close)
        ends.callback(server.shutdown)
        redis = RedisServer(directory)
        redis.start()
        ends.callback(redis.stop)
        policies = directory / "policies.yaml"
        policies.write_text(POLICY.format(url=f"http://127.0.0.1:{server.server_port}"))
        proxy = ProxyServer(
            ProxyOptions(upstream=None, policies=policies, redis_url=redis.url, workers=workers), directory
        )
        proxy.start()
        ends.callback(proxy.stop)
        yield proxy


def get(url: str) -> None:
    """One request; whatever it is answered."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with suppress(OSError), opener.open(url, timeout=10) as response:
        response.read()


def shown(page: Page, proxy: ProxyServer) -> Page:
    """The page, once it shows figures."""
    page.goto(f"{proxy.admin_url}/")
    page.locator("#routes tr").nth(1).wait_for()
    return page


def _visit(proxy: ProxyServer, seconds: float) -> None:
    rng, until = random.Random(7), perf_counter() + seconds
    while perf_counter() < until:
        asked = rng.choices(("products", "search", "basket"), (8, 3, 1))[0]
        number = min(int(rng.expovariate(0.08)), 200)
        get(f"{proxy.url}/{asked}" + {"products": f"/{number}", "search": f"?q={number % 9}"}.get(asked, ""))
        sleep(rng.uniform(0.0, 0.02))


def take_pictures(seconds: float) -> None:
    """Have the pictures made of a proxy that has been visited for so long."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, shop(Path(directory), workers=2) as proxy, browser() as opened:
        _visit(proxy, seconds)
        proxy.purge({"tags": ["product:7"]})
        for scheme, (width, height) in SIZES:
            context = opened.new_context(
                viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light"
            )
            page = shown(context.new_page(), proxy)
            page.get_by_label("Names, with blanks between").fill("product:3")
            page.get_by_role("button", name="Preview").click()
            page.get_by_text("Would reach").wait_for()
            page.wait_for_timeout(2_500)
            page.evaluate("scrollTo(0, 0)")
            page.screenshot(path=PICTURES / f"page-{scheme}-{width}.png")
            context.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=180.0, help="how long the proxy is visited before")
    take_pictures(parser.parse_args().seconds)
