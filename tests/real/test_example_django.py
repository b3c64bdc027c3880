"""`examples/django-sessions`: most reads are hits, and nobody sees another user's byte, whatever cookies are sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.cookies import SimpleCookie
from itertools import count
from pathlib import Path
from random import Random
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devstack.process import free_port
from tests.real.support.both import launch
from tests.real.support.example import Running, hit_rate, page_shows, policies, running, said
from tests.real.support.install import EXAMPLES, python_group
from tests.real.support.run import run
from tests.support.client import Answer

pytestmark = [pytest.mark.timeout(600)]

NAME = "django-sessions"
NAMES = ("ann", "bob", "eve", "ian", "liv", "boss")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SHOWN = re.compile(rb"Hello &lt;(\w+)&gt;")
PAGES = ("/products/", "/products/?page=2", "/products/1/", "/products/2/", "/cart/", "/orders/")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory, port, group = tmp_path_factory.mktemp(NAME), free_port(), python_group(NAME)
    env = {"SHOP_SECRET": "of the test", "SHOP_DATABASE": str(directory / "shop.sqlite3")}
    for command in (["migrate", "--run-syncdb", "-v", "0"], ["stock", *NAMES]):
        run(group.script("manage.py", *command), env=env)
    gunicorn = [group.program("gunicorn"), "--chdir", str(EXAMPLES / NAME), "--bind", f"127.0.0.1:{port}"]
    server = launch(NAME, [*gunicorn, "--threads", "8", "shop.wsgi"], directory, env)
    with running(server, port, policies(NAME), env) as both:
        yield both


@dataclass(slots=True)
class Visitor:
    """One browser with its cookies, signed in by way of Veneer."""

    shop: Running
    name: str
    cookies: dict[str, str]

    @property
    def fields(self) -> dict[str, str]:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Cookie": cookie} if cookie else {}

    def get(self, path: str) -> Answer:
        return self.shop.through("GET", path, self.fields)

    def post(self, path: str, *, straight: bool = False, **form: object) -> Answer:
        fields = self.fields | FORM | {"X-CSRFToken": self.cookies.get("csrftoken", "")}
        send = self.shop.straight if straight else self.shop.through
        answer = send("POST", path, fields, urlencode(form).encode())
        self.keep(answer)
        return answer

    def keep(self, answer: Answer) -> None:
        for name, value in answer.headers:
            if name.lower() == "set-cookie":
                self.cookies |= {one.key: one.value for one in SimpleCookie(value).values()}


def visitor(shop: Running, name: str) -> Visitor:
    one = Visitor(shop, name, {})
    one.keep(one.get("/accounts/login/"))
    assert one.post("/accounts/login/", username=name, password=f"of-{name}").status == 302
    return one


@pytest.mark.quick
def test_most_reads_are_hits(shop: Running) -> None:
    random = Random(16)
    customers = [visitor(shop, name) for name in NAMES]
    boss = customers[-1]
    products = [f"/products/{number}/" for number in range(1, 13)]
    reads: list[Answer] = []
    for _ in range(3000):
        customer, draw = random.choice(customers), random.random()
        product = random.choices(products, [1 / rank for rank in range(1, len(products) + 1)])[0]
        if draw < 0.015:
            assert customer.post("/cart/add/", product=random.randint(1, 12)).status == 302
        elif draw < 0.018:
            assert customer.post("/orders/").status == 302
        elif draw < 0.019:
            assert boss.post(f"{product}price/", cents=random.randint(100, 2000)).status == 302
        else:
            page = random.choice(("/products/", "/products/?page=2"))
            reads.append(customer.get(random.choices([product, page, "/cart/", "/orders/"], [60, 25, 9, 6])[0]))
            assert reads[-1].status == 200
    assert hit_rate(reads) > 0.8


def signed_out(shop: Running, name: str) -> Visitor:
    """The cookies of a session that was left by way of Veneer, after its pages were stored."""
    one = visitor(shop, name)
    before = dict(one.cookies)
    assert {one.get(path).status for path in PAGES} == {200}
    assert one.post("/accounts/logout/").status == 302
    return Visitor(shop, name, before)


def ended_elsewhere(shop: Running, name: str) -> Visitor:
    """The same, where the proxy has not heard of the end."""
    one = visitor(shop, name)
    before = dict(one.cookies)
    assert {one.get(path).status for path in PAGES} == {200}
    assert one.post("/accounts/logout/", straight=True).status == 302
    return Visitor(shop, name, before)


def changed(shop: Running, name: str) -> Visitor:
    """The cookies of a session with one letter exchanged."""
    one = visitor(shop, name)
    text = one.cookies["sessionid"]
    one.cookies["sessionid"] = text[:5] + ("a" if text[5] != "a" else "b") + text[6:]
    return one


def with_two(shop: Running, name: str) -> Visitor:
    """Two sessions in one request, of which the shop takes one."""
    one, other = visitor(shop, name), visitor(shop, "liv")
    one.cookies["sessionid"] += f"; sessionid={other.cookies['sessionid']}"
    return one


def without_csrf(shop: Running, name: str) -> Visitor:
    one = visitor(shop, name)
    del one.cookies["csrftoken"]
    return one


MAKE: dict[str, Callable[[Running, str], Visitor]] = {
    "signed in": visitor,
    "signed in too": visitor,
    "signed out": signed_out,
    "ended elsewhere": ended_elsewhere,
    "changed": changed,
    "with two": with_two,
    "without csrf": without_csrf,
    "no cookie": lambda shop, name: Visitor(shop, name, {}),
}
STEP = st.tuples(
    st.sampled_from(sorted(MAKE)),
    st.sampled_from(["ann", "bob", "boss"]),
    st.sampled_from([*PAGES, *PAGES, "add", "order", "price"]),
)
numbers = count(1)


@pytest.mark.quick
@settings(max_examples=25, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEP, min_size=5, max_size=25))
def test_nobody_sees_a_byte_of_another_user(shop: Running, steps: list[tuple[str, str, str]]) -> None:
    """Each answer is the shop's own of that moment; a session that ended elsewhere may get an older one of its own."""
    visitors: dict[tuple[str, str], Visitor] = {}
    for kind, name, what in steps:
        one = visitors.get((kind, name))
        if one is None:
            one = visitors[kind, name] = MAKE[kind](shop, name)
        number = next(numbers)
        if what == "add":
            one.post("/cart/add/", product=number % 12 + 1)
        elif what == "order":
            one.post("/orders/")
        elif what == "price":
            one.post(f"/products/{number % 2 + 1}/price/", cents=100 + number)
        else:
            answer, straight = one.get(what), shop.straight("GET", what, one.fields)
            assert not answer.hit or answer.header("Set-Cookie") is None
            if kind == "ended elsewhere":
                assert set(SHOWN.findall(answer.body)) <= {name.encode()}
            else:
                assert said(answer) == said(straight), (kind, name, what)
            if kind.startswith("signed in"):
                assert SHOWN.findall(answer.body) == [name.encode()]


@pytest.mark.quick
def test_a_session_that_ended_elsewhere_keeps_what_is_stored_for_it(shop: Running) -> None:
    """As the page says: nobody tells the proxy, and nothing that is not stored comes of it."""
    one = ended_elsewhere(shop, "ann")
    assert one.get("/products/1/").hit
    assert one.get("/products/9/").status == 302
    left = signed_out(shop, "ann")
    assert [left.get(path).status for path in PAGES] == [302] * len(PAGES)


def test_the_page_shows_what_it_says(tmp_path: Path) -> None:
    page_shows(NAME, tmp_path)
