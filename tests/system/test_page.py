"""The admin page in Chromium: what it shows, what it lets do, and on which screens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from checks.page import browser, chromium, get, shop, shown
from devstack.proxy import ProxyServer
from tests.support.client import fetch

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="needs Chromium (Debian: chromium)"),
]

UNNAMED = """() => [...document.querySelectorAll("input, select, button, meter, svg, [role=region]")]
    .filter((one) => !(one.labels && one.labels.length) && !one.textContent.trim() && !one.getAttribute("aria-label")
        && !document.getElementById(one.getAttribute("aria-labelledby")))
    .map((one) => one.outerHTML)"""
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
BACKGROUND = "() => getComputedStyle(document.body).backgroundColor"
HOUR = """() => showHour({step_s: 10, points: [
    {at: 100, requests: 5, errors: 0, hit_rate: 0.5, p99_ms: 1, upstream_p99_ms: null, stored_bytes: 10},
    {at: 110, requests: 10, errors: 1, hit_rate: null, p99_ms: 2.5, upstream_p99_ms: null, stored_bytes: 20},
    {at: 120, requests: 7.5, errors: 0, hit_rate: 1, p99_ms: 1, upstream_p99_ms: null, stored_bytes: 20}]})"""


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyServer]:
    with shop(tmp_path_factory.mktemp("page")) as running:
        for path in ("/products/7", "/products/7", "/products/8", "/products/13", "/search?q=1"):
            get(running.url + path)
        yield running


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture
def page(chrome: Browser, proxy: ProxyServer) -> Iterator[Page]:
    """The page; whatever it complains of is an error."""
    said: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            said.append(message.text)

    opened = chrome.new_page()
    opened.on("console", hear)
    opened.on("pageerror", lambda error: said.append(str(error)))
    yield shown(opened, proxy)
    opened.close()
    assert said == []


def test_routes_with_their_hit_rate_and_what_went_wrong(page: Page) -> None:
    row = page.locator("#routes tr").filter(has_text="products")
    expect(row).to_contain_text("25.0 %")
    expect(page.locator("#tiles")).to_contain_text("p99 of misses")
    expect(page.locator("#stores tr").filter(has_text="l1")).to_contain_text("KB")


def test_the_last_hour_is_drawn_with_gaps_and_read_out(page: Page) -> None:
    page.evaluate(HOUR)
    chart = page.get_by_role("img", name="Requests a second: now 7.5, at most 10 in the last hour")
    expect(chart.locator("path")).to_have_attribute("d", "M336.0 50.0L348.0 3.0L360.0 26.5")
    hits = page.get_by_role("img", name="Hit rate: now 100.0 %")
    expect(hits.locator("path")).to_have_attribute("d", "M336.0 50.0M360.0 3.0")
    expect(page.get_by_role("img", name="p99 of the backend: nothing yet")).to_be_attached()


def test_how_the_node_stands(page: Page) -> None:
    expect(page.locator("#upstreams tr").filter(has_text="shop")).to_contain_text("up")
    expect(page.locator("#redis")).to_contain_text("reachable")
    expect(page.locator("#policy")).to_contain_text("from policies.yaml. Last reload: ")
    expect(page.locator("#nodes tr").filter(has_text="here")).to_have_count(1)
    expect(page.locator("#routes tr").filter(has_text="search")).to_contain_text("/search")


def test_what_is_stored_for_a_url(page: Page) -> None:
    page.get_by_label("URL or path").fill("/products/7")
    page.get_by_role("button", name="Look up").click()
    expect(page.locator("#decision")).to_contain_text("Route products: hit")
    row = page.locator("#entries tr").filter(has_text="product:7").first
    expect(row).to_contain_text("fresh")
    page.get_by_label("URL or path").fill("/nowhere")
    page.get_by_role("button", name="Look up").click()
    expect(page.locator("#decision")).to_contain_text("Route default")
    expect(page.locator("#entries tr")).to_have_count(1)


def test_a_purge_is_previewed_before_it_can_be_made(page: Page, proxy: ProxyServer) -> None:
    names, confirm = page.get_by_label("Names, with blanks between"), page.get_by_role("button", name="Purge")
    expect(confirm).to_be_disabled()
    names.fill("product:7")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#reach")).to_contain_text("Would reach 1 response in memory")
    expect(confirm).to_be_enabled()
    names.fill("product:8")
    expect(confirm).to_be_disabled()
    assert fetch(f"{proxy.url}/products/8").hit
    page.get_by_role("button", name="Preview").click()
    expect(confirm).to_be_enabled()
    confirm.click()
    expect(page.locator("#reach")).to_contain_text("Purged: position")
    assert not fetch(f"{proxy.url}/products/8").hit
    assert fetch(f"{proxy.url}/products/7").hit, "only what was previewed last"
    expect(page.locator("#purges tr").filter(has_text="product:8")).to_have_count(1)


def test_a_purge_that_makes_no_sense_says_why(page: Page) -> None:
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#reach")).to_contain_text("nothing")
    expect(page.get_by_role("button", name="Purge")).to_be_disabled()


def test_the_log_is_followed_with_what_is_asked_for_until_it_is_stopped(page: Page, proxy: ProxyServer) -> None:
    log, note = page.locator("#log"), page.locator("#log-note")
    page.get_by_label("Status").fill("5xx")
    page.get_by_role("button", name="Follow").click()
    expect(note).to_have_text("")
    get(proxy.url + "/basket?token=s3cret")
    get(proxy.url + "/search?token=s3cret&q=/13")
    expect(log.locator("tr")).to_have_count(2)
    expect(log).to_contain_text("GET /search?token=***&q=/13")
    expect(log).not_to_contain_text("basket")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Follow")).to_be_visible()
    page.get_by_label("Status").fill("many")
    page.get_by_role("button", name="Follow").click()
    expect(note).to_contain_text("many")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_small_screen_in_both_schemes(chrome: Browser, proxy: ProxyServer, scheme: str) -> None:
    context = chrome.new_context(
        viewport={"width": 390, "height": 844}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = shown(context.new_page(), proxy)
    assert page.evaluate(OVERFLOW) == 0, "nothing is wider than the screen"
    assert page.evaluate(BACKGROUND) == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 24, 29)"}[scheme]
    context.close()


def test_everything_has_a_name_for_who_cannot_see_it(page: Page) -> None:
    assert page.evaluate(UNNAMED) == []
    assert page.get_by_role("heading").count() > 5


def test_where_a_token_is_needed_it_is_asked_for(chrome: Browser, proxy: ProxyServer, tmp_path: Path) -> None:
    page = chrome.new_page()
    page.route("**/stats", lambda route: route.fulfill(status=401, body="{}"))
    page.goto(f"{proxy.admin_url}/")
    expect(page.get_by_label("Admin token")).to_be_visible()
    expect(page.get_by_role("status").first).to_contain_text("a token is needed")
    page.close()
