"""Whatever is sent, the proxy with its fast paths answers as the one without: the same bytes but for time and IDs."""

from __future__ import annotations

import difflib
import itertools
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devstack.proxy import ProxyOptions, ProxyServer
from tests.support.tokens import OTHER_SECRET, SECRET, bearer

ETAG = '"one"'
DATE = "Tue, 15 Nov 1994 08:12:31 GMT"
LAST = (b"GET /last HTTP/1.1\r\nHost: site\r\nConnection: close\r\n\r\n",)
SILENCE_S = 1.5
"""A head that never ends, or a body that is announced and not sent: the proxy waits, and so does the test."""
SLOW_S = 0.02
"""What is sent while such a request is answered has to wait for its turn."""
BODY = b'{"text": "' + b"abc " * 500 + b'"}'
WRITTEN = {"/plain": "204 No Content", "/varies": "201 Created", "/few-parameters": "500 Odd", "/private": "202 Later"}
"""How the origin answers what is not safe, where that is not 200."""
SHORT_BODY = b'{"text": "too short to be coded"}'

PAGES = {
    "/cached": [
        f"Etag: {ETAG}",
        "Cache-Control: max-age=3600",
        "Content-Type: application/json",
        f"Last-Modified: {DATE}",
    ],
    "/plain": ["Cache-Control: s-maxage=3600", "Content-Type: image/png"],
    "/varies": ["Cache-Control: max-age=3600", "Content-Type: application/json", "Vary: Accept-Language"],
    "/private": ["Cache-Control: private, max-age=3600", "Content-Type: application/json"],
    "/slow": ["Cache-Control: no-store", "Content-Type: application/json"],
    "/last": ["Cache-Control: no-store", "Content-Type: text/plain"],
    "/by-language": ["Cache-Control: max-age=3600", "Content-Type: application/json"],
    "/with-cookies": ["Cache-Control: max-age=3600", "Content-Type: application/json", "Set-Cookie: s=1"],
    "/silent": ["Content-Type: application/json"],
    "/few-parameters": ["Cache-Control: max-age=3600", "Content-Type: text/plain"],
    "/chosen": ["Cache-Control: max-age=3600", "Content-Type: text/plain", f"Etag: {ETAG}"],
    "/edited": ["Cache-Control: max-age=3600", "Content-Type: text/plain", "Cache-Tag: t", "Server: x", "X-Gone: 1"],
    "/of-tenant": ["Content-Type: application/json", f"Etag: {ETAG}"],
    "/of-user": ["Cache-Control: max-age=3600", "Content-Type: application/json"],
    "/of-tenant-counted": ["Cache-Control: max-age=3600", "Content-Type: application/json"],
    "/for-everybody": ["Cache-Control: max-age=3600", "Content-Type: application/json", f"Etag: {ETAG}"],
}
POLICIES = """
identities:
  api: {jwt: {keys: [{secret_env: TEST_JWT_SECRET}], values: {tenant: company, user: sub}}}
rate_limits:
  tenants: {rate: 1000000/1s, key: [identity.tenant, route]}
routes:
  - name: tenants-write
    match: {path: /of-tenant, methods: [POST, PUT, PATCH, DELETE]}
    invalidates: ["docs:{identity.tenant}"]
  - name: tenants
    match: {path: /of-tenant}
    cache: {share: identity.tenant, ttl: 1h, tags: ["docs:{identity.tenant}"]}
  - {name: users, match: {path: /of-user}, cache: {share: [identity.tenant, identity.user]}}
  - {name: counted, match: {path: /of-tenant-counted}, rate_limit: tenants, cache: {share: nobody}}
  - name: by-field
    match: {path: /chosen, headers: {Accept-Language: "*"}}
    response: {set: {X-Chosen: field}}
  - name: by-cookie
    match: {path: /chosen, cookies: {a: b}}
    response: {set: {X-Chosen: cookie}}
    cache: {cookies: {key: [a], ignore: [c]}}
  - name: edited
    match: {path: /edited}
    request: {set: {X-Csrf-Token: "1"}, remove: [Cookie, Referer]}
    response: {set: {Server: veneer, ETag-Like: "1"}, add: {X-More: "2"}, remove: [X-Gone], security: true}
  - {name: by-language, match: {path: /by-language}, cache: {key: {headers: [Accept-Language], show: true}}}
  - {name: with-cookies, match: {path: /with-cookies}, cache: {set_cookie: strip, cookies: {ignore: [c], key: [a]}}}
  - {name: silent, match: {path: /silent}, etag: "off", cache: {ttl: 1h, origin: override}, compress: {enabled: false}}
  - {name: few, match: {path: /few-parameters}, cache: {key: {query: {only: [n]}}}, compress: {prefer: [gzip]}}
  - {name: everybody, match: {path: /for-everybody}, cache: {share_authorized: true, obey_request_no_cache: false}}
"""
"""All other pages are answered as without a file."""
MOVING = re.compile(
    rb"(?m)^(?:(Date|X-Request-ID|X-Response-Time): [^\r]*|(Cache-Status: [^\r]*ttl=)-?\d+)"
    rb'|"request_id": "[^"]*"'
)
AGE = re.compile(rb"(?m)^Age: [^\r]*\r\n")
"""A slow answer has an Age of its own, and on a busy machine either may be slow."""


def answer_forever(listener: socket.socket) -> None:
    """An origin that says the same of each path, whatever it is asked."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


def serve(connection: socket.socket) -> None:
    with connection, connection.makefile("rb") as file:
        while line := file.readline():
            method, target, _ = line.decode("latin-1").split(" ", 2)
            length = 0
            while (field := file.readline()) not in {b"\r\n", b""}:
                if field.lower().startswith(b"content-length:"):
                    length = int(field.partition(b":")[2])
            file.read(length)
            if target.startswith("/slow"):
                time.sleep(SLOW_S)
            lines = PAGES.get(target.partition("?")[0], ["Cache-Control: no-store"])
            page = target.partition("?")[0]
            status = "200 OK" if method in {"GET", "HEAD", "OPTIONS"} else WRITTEN.get(page, "200 OK")
            head = [f"HTTP/1.1 {status}", "Date: " + time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()), *lines]
            body = SHORT_BODY if target.endswith("-3") else BODY
            if status.startswith("204"):
                body = b""
            head += [*([f"Content-Length: {len(body)}"] if body else []), "", ""]
            connection.sendall("\r\n".join(head).encode("latin-1") + (b"" if method == "HEAD" else body))


@dataclass(frozen=True, slots=True)
class Pair:
    """The same proxy twice."""

    with_fastpath: ProxyServer
    without: ProxyServer


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    directory = tmp_path_factory.mktemp("fastpath")
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        threading.Thread(target=answer_forever, args=(listener,), daemon=True).start()
        policies = directory / "policies.yaml"
        policies.write_text(POLICIES, "utf-8")
        options = ProxyOptions(f"http://127.0.0.1:{listener.getsockname()[1]}", policies)
        fastpath, plain = (
            ProxyServer(replace(options, env={"VENEER_FASTPATH": switch, **SECRETS}), directory, name=f"paths-{switch}")
            for switch in ("on", "off")
        )
        fastpath.start()
        plain.start()
        yield Pair(fastpath, plain)
        fastpath.stop()
        plain.stop()
        listener.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back, moving parts replaced. A reset may have swallowed its end: a refusal closes at once, and what the
    client sent meanwhile makes the kernel throw away what was on its way."""

    raw: bytes
    reset: bool = False

    def agrees(self, other: Heard) -> bool:
        """Equal, or equal as far as the one that was reset was heard."""
        if self.reset or other.reset:
            return self.raw.startswith(other.raw) or other.raw.startswith(self.raw)
        return self.raw == other.raw


def exchange(port: int, pieces: list[bytes]) -> Heard:
    """What comes back for what is sent in these pieces."""
    received = bytearray()
    reset = False
    with socket.create_connection(("127.0.0.1", port), timeout=SILENCE_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(0.002)
            while data := connection.recv(65536):
                received += data
        except (ConnectionResetError, BrokenPipeError):
            reset = True
        except TimeoutError:
            received += b"<silence>"
    heard = AGE.sub(b"", bytes(received))
    return Heard(MOVING.sub(lambda found: (found[1] or found[2] or b"id") + b"~", heard), reset)


SECRETS = {"TEST_JWT_SECRET": SECRET}
BEARERS = (
    bearer(company="a", sub="ann"),
    bearer(company="a", sub="abe"),
    bearer(company="b", sub="bob"),
    bearer(company="a"),
    bearer(company="a", sub="ann", exp=1_000_000_000),
    bearer(company="a", sub="ann", secret=OTHER_SECRET),
    "X-Nothing: here",
)
TARGETS = st.sampled_from(
    [
        *(page + "?NAME" for page in PAGES),
        "/c%61ched?NAME",
        "/%2e/cached?NAME",
        "/cached?NAME#x",
        "http://site/cached?NAME",
        "*",
        "/cach ed",
        "/x\x01",
    ]
)
GOOD_FIELDS = st.sampled_from(
    [
        "Accept-Encoding: gzip, br",
        "Accept-Encoding: br;q=0.1, zstd",
        "Accept-Encoding: identity",
        "Accept-Encoding: gzip, deflate",
        "Accept-Encoding: *",
        "Accept-Encoding: gzip;q=0.5, *;q=0.1, br;q=0",
        "Accept-Encoding: identity;q=0, gzip",
        "Accept-Encoding: zstd, identity;q=0.9",
        f"If-None-Match: {ETAG}",
        'If-None-Match: "one-br", "two"',
        "If-None-Match: *",
        f"If-Modified-Since: {DATE}",
        "If-Modified-Since: Sat, 01 Jan 2000 00:00:00 GMT",
        "Accept-Language: de",
        "Origin: https://page.example",
        "Cookie: a=b; c=d",
        "X-Request-ID: mine-1",
        'X-Request-ID: not"fit',
        "User-Agent: test/1.0",
        "Authorization: Bearer abc",
        *BEARERS[:3],
        "Cache-Control: no-cache",
        "Cache-Control: only-if-cached",
        "Range: bytes=0-9",
        "Connection: keep-alive",
        "Forwarded: for=1.2.3.4",
    ]
)
ODD_FIELDS = st.sampled_from(
    [
        "Host: other",
        "Host: SITE",
        "Accept-Encoding : gzip",
        " folded",
        "X-Bad: a\x00b",
        "X-Text: \xfc",
        "X-Tab: a\tb",
        "Content-Length: 3",
        "Content-Length: x",
        "Transfer-Encoding: chunked",
        "No colon here",
        ": no name",
        "Expect: 100-continue",
        "Upgrade: h2c",
        "Connection: close",
        "Connection: upgrade",
        "Pragma: no-cache",
    ]
)


@st.composite
def plain_requests(draw: st.DrawFn) -> bytes:
    """A well-formed request that leaves its connection open."""
    method = draw(st.sampled_from(["GET", "GET", "GET", "GET", "HEAD", "OPTIONS", "DELETE"]))
    fields = ["Host: site", *draw(st.lists(GOOD_FIELDS, max_size=4))]
    target = draw(st.sampled_from([*(page + "?NAME" for page in PAGES), "/cached?NAME", "http://site/cached?NAME"]))
    return ("\r\n".join([f"{method} {target} HTTP/1.1", *fields]) + "\r\n\r\n").encode("latin-1")


@st.composite
def writes(draw: st.DrawFn) -> bytes:
    """A request with content, all of it in one segment."""
    method = draw(st.sampled_from(["POST", "PUT", "PATCH", "DELETE", "GET"]))
    content = draw(st.sampled_from([b"{}", b"x" * 3000, b"GET / HTTP/1.1\r\n\r\n"]))
    fields = ["Host: site", f"Content-Length: {len(content)}", *draw(st.lists(GOOD_FIELDS, max_size=3))]
    target = draw(st.sampled_from([page + "?NAME" for page in PAGES]))
    return ("\r\n".join([f"{method} {target} HTTP/1.1", *fields]) + "\r\n\r\n").encode("latin-1") + content


@st.composite
def odd_requests(draw: st.DrawFn) -> bytes:
    """A request that is odd or hostile in some way; it may well close its connection."""
    method = draw(st.sampled_from(["GET", "GET", "GET", "HEAD", "POST", "get", "BREW"]))
    version = draw(st.sampled_from(["HTTP/1.1"] * 8 + ["HTTP/1.0", "HTTP/2.0", "http/1.1"]))
    fields = ["Host: site", *draw(st.lists(GOOD_FIELDS, max_size=3)), *draw(st.lists(ODD_FIELDS, max_size=2))]
    end = draw(st.sampled_from(["\r\n\r\n"] * 6 + ["\n\n", "\r\n\n", "\r\n\r\nxyz"]))
    return ("\r\n".join([f"{method} {draw(TARGETS)} {version}", *fields]) + end).encode("latin-1")


def lines(heard: Heard) -> list[str]:
    return heard.raw.decode("latin-1").split("\r\n")


COUNTER = itertools.count()


def check(pair: Pair, pieces: list[bytes]) -> None:
    """Say the same to both, each page under a name that no other conversation uses, and known to both already."""
    name = b"n=%d" % next(COUNTER)
    known = [
        b"GET /%s?NAME HTTP/1.1\r\nHost: site\r\nConnection: close\r\n\r\n" % page for page in (b"cached", b"plain")
    ]
    for request in [*known, *known]:
        for proxy in (pair.with_fastpath, pair.without):
            exchange(proxy.port, [request.replace(b"NAME", name)])
    sent = [piece.replace(b"NAME", name) for piece in pieces]
    quick, whole = exchange(pair.with_fastpath.port, sent), exchange(pair.without.port, sent)
    assert quick.agrees(whole), repr(sent) + "\n".join(difflib.unified_diff(lines(quick), lines(whole), n=1))


def split(raw: bytes, cuts: list[int]) -> list[bytes]:
    """The bytes in pieces; no cut lies within the mark that `check` replaces."""
    fair = [cut for cut in cuts if not any(raw[cut - n : cut + 4 - n] == b"NAME" for n in (1, 2, 3))]
    return [raw[a:b] for a, b in zip([0, *fair], [*fair, len(raw)], strict=True)]


UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@settings(UNHURRIED, max_examples=40)
@given(sent=st.lists(plain_requests(), min_size=1, max_size=6))
def test_requests_after_each_other_and_pipelined(pair: Pair, sent: list[bytes]) -> None:
    check(pair, [b"".join([*sent, *LAST])])
    for request in sent:
        check(pair, [request[:-2] + b"Connection: close\r\n\r\n"])


@settings(UNHURRIED, max_examples=60)
@given(sent=st.lists(st.one_of(plain_requests(), writes()), min_size=1, max_size=5))
def test_requests_in_a_segment_each(pair: Pair, sent: list[bytes]) -> None:
    """Each comes while the one before may still be answered."""
    check(pair, [*sent, *LAST])


@settings(UNHURRIED, max_examples=30)
@given(page=st.sampled_from(list(PAGES)), fields=st.lists(GOOD_FIELDS, max_size=3))
def test_misses_in_turn(pair: Pair, page: str, fields: list[str]) -> None:
    """Alike but for the target and one shorter body: what the first two teach is used for the others."""
    sent = [
        "\r\n".join([f"GET {page}?NAME-{number} HTTP/1.1", "Host: site", *fields, "", ""]).encode("latin-1")
        for number in range(5)
    ]
    check(pair, [*sent, *LAST])
    check(pair, [b"".join([*sent, *LAST])])


@settings(UNHURRIED, max_examples=40)
@given(
    page=st.sampled_from(list(PAGES)),
    method=st.sampled_from(["POST", "PUT", "PATCH", "DELETE"]),
    content=st.sampled_from([b"", b"{}", b"x" * 3000, b"y" * 70_000]),
    fields=st.lists(GOOD_FIELDS, max_size=3),
    cut=st.integers(0, 10),
)
def test_writes_in_turn(pair: Pair, page: str, method: str, content: bytes, fields: list[str], cut: int) -> None:
    """Alike but for the target and the content, with reads between them; one comes in two pieces."""
    sent: list[bytes] = []
    for number in range(4):
        own = content + b"%d" % number if content else b""
        head = [f"{method} {page}?NAME-{number} HTTP/1.1", "Host: site", *([f"Content-Length: {len(own)}"] * bool(own))]
        sent.append("\r\n".join([*head, *fields, "", ""]).encode("latin-1") + own)
        sent.append(b"GET %b?NAME-%d HTTP/1.1\r\nHost: site\r\n\r\n" % (page.encode(), number))
    cut = len(sent[-2]) - cut
    check(pair, [*sent[:-2], sent[-2][:cut], *([sent[-2][cut:]] * bool(sent[-2][cut:])), sent[-1], *LAST])
    check(pair, [b"".join([*sent, *LAST])])


@settings(UNHURRIED, max_examples=60)
@given(
    page=st.sampled_from(["/of-tenant", "/of-user", "/of-tenant-counted"]),
    turns=st.lists(
        st.tuples(
            st.sampled_from(["GET", "GET", "GET", "PUT"]),
            st.sampled_from(BEARERS),
            st.integers(0, 2),
            st.lists(GOOD_FIELDS, max_size=1),
        ),
        min_size=4,
        max_size=10,
    ),
)
def test_identities_in_turn(pair: Pair, page: str, turns: list[tuple[str, str, int, list[str]]]) -> None:
    """Whoever asks, and whoever has written before: what is stored for whom shows in Cache-Status."""
    sent = [
        "\r\n".join(
            [
                f"{method} {page}?NAME-{number} HTTP/1.1",
                "Host: site",
                who,
                *(field for field in fields if not field.startswith("Authorization")),
                *(["Content-Length: 2"] * (method == "PUT")),
                "",
                "{}" if method == "PUT" else "",
            ]
        ).encode("latin-1")
        for method, who, number, fields in turns
    ]
    check(pair, [*sent, *LAST])
    check(pair, [b"".join([*sent, *LAST])])


@settings(UNHURRIED, max_examples=40)
@given(data=st.data(), sent=st.lists(plain_requests(), min_size=1, max_size=4))
def test_requests_split_at_any_byte(pair: Pair, data: st.DataObject, sent: list[bytes]) -> None:
    raw = b"".join([*sent, *LAST])
    cuts = sorted(data.draw(st.sets(st.integers(1, len(raw) - 1), min_size=1, max_size=4)))
    check(pair, split(raw, cuts))


@settings(UNHURRIED, max_examples=40)
@given(request=odd_requests())
def test_an_odd_request(pair: Pair, request: bytes) -> None:
    """One segment: what follows a refused request is answered or not by chance, on either way."""
    check(pair, [request + LAST[0]])


@pytest.mark.parametrize("extra", [[], ["Accept-Encoding: br"], [f"If-None-Match: {ETAG}"], ["Cookie: a=1"]])
def test_repeated_hits_stay_the_same(pair: Pair, extra: list[str]) -> None:
    request = ("\r\n".join(["GET /cached HTTP/1.1", "Host: site", *extra]) + "\r\n\r\n").encode("latin-1")
    for _ in range(6):
        quick = exchange(pair.with_fastpath.port, [request, *LAST])
        assert not quick.reset
        assert quick == exchange(pair.without.port, [request, *LAST])
