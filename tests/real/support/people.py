"""Users with logins: two of them and a stranger ask for the same pages, one after the other and at once."""

from __future__ import annotations

import http.cookiejar
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.real.support.both import Site


@dataclass(frozen=True, slots=True)
class Seen:
    """What somebody was shown."""

    who: str
    path: str
    status: int
    body: str


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


@dataclass(slots=True)
class Person:
    """A browser of one user: cookies are kept, redirects are shown rather than followed."""

    site: Site
    name: str
    fields: dict[str, str] = field(default_factory=dict[str, str])
    cookies: http.cookiejar.CookieJar = field(default_factory=http.cookiejar.CookieJar)

    def get(self, path: str) -> Seen:
        """Ask for a page."""
        return self._ask(urllib.request.Request(self.site.url + path), path)

    def post(self, path: str, form: Mapping[str, str], **fields: str) -> Seen:
        """Send a form; underscores in the fields' names stand for hyphens."""
        content = urllib.parse.urlencode(form).encode()
        more = {name.replace("_", "-"): value for name, value in fields.items()}
        return self._ask(urllib.request.Request(self.site.url + path, content, more), path)

    def cookie(self, name: str) -> str:
        """The value of one of the cookies; empty where there is none."""
        return next((cookie.value or "" for cookie in self.cookies if cookie.name == name), "")

    def _ask(self, request: urllib.request.Request, path: str) -> Seen:
        for name, value in self.fields.items():
            request.add_header(name, value)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.cookies), _Stay
        )
        try:
            with opener.open(request, timeout=30) as response:
                return Seen(self.name, path, response.status, response.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Seen(self.name, path, error.code, error.read().decode())


def everybody(site: Site, sign_in: Callable[[Person], object], paths: Sequence[str]) -> list[Seen]:
    """What ann, bob and a stranger see of each page: one after the other, at once, and one after the other again."""
    ann, bob, stranger = Person(site, "ann"), Person(site, "bob"), Person(site, "stranger")
    sign_in(ann)
    sign_in(bob)
    seen = [person.get(path) for path in paths for person in (ann, bob, stranger, ann)]
    with ThreadPoolExecutor(6) as pool:
        for path in paths:
            seen += pool.map(lambda person, path=path: person.get(path), [ann, bob, stranger] * 2)
    return seen + [person.get(path) for path in paths for person in (stranger, bob, ann)]


def assert_nobody_sees_another(seen: Sequence[Seen]) -> None:
    """Each user was shown a page of their own, and the stranger no user's."""
    assert {one.who for one in seen} == {"ann", "bob", "stranger"}
    for one in seen:
        others = {"ann", "bob"} - {one.who}
        assert not any(f"<{name}>" in one.body for name in others), one
        if one.who != "stranger":
            assert one.status == 200, one
            assert f"<{one.who}>" in one.body, one
