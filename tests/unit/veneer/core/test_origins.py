"""Which references name something of the request's own origin: RFC 9111 section 4.4."""

from __future__ import annotations

import pytest

from tests.support.exchanges import request
from veneer.core.fields import Pair
from veneer.core.origins import same_origin


@pytest.mark.parametrize(
    ("reference", "targets"),
    [
        ("/c?d#e", ("/c?d",)),
        ("c", ("/a/c",)),
        ("../c", ("/c",)),
        ("../../c/./d/..", ("/c/",)),
        ("?x", ("/a/b?x",)),
        ("", ("/a/b?q",)),
        ("http://site:80/z", ("/z",)),
        ("https://site/z", ("/z",)),
        ("//site/z%7e", ("/z~",)),
        ("http://other/z", ()),
        ("mailto:x", ()),
    ],
)
def test_references_of_the_same_origin_resolve(reference: str, targets: tuple[str, ...]) -> None:
    assert same_origin(request(path="/a/b", query="q"), reference) == targets


HOST = ("X-Forwarded-Host", "public.test")


@pytest.mark.parametrize(
    ("told", "reference"),
    [
        ([HOST], "https://public.test/z"),
        ([HOST], "https://PUBLIC.test:443/z"),
        ([HOST], "http://site/z"),
        ([("X-Forwarded-Host", "public.test:443")], "https://public.test/z"),
        ([("X-Forwarded-Host", "public.test, between.test")], "http://public.test/z"),
        ([("X-Forwarded-Host", "public.test, between.test")], "http://between.test/z"),
        ([HOST, ("X-Forwarded-Port", "8443")], "https://public.test:8443/z"),
        ([("X-Forwarded-Port", "8443")], "https://site:8443/z"),
        ([("X-Forwarded-Host", "[::1]"), ("X-Forwarded-Port", "81")], "http://[::1]:81/z"),
    ],
)
def test_what_a_trusted_proxy_tells_is_the_client_s_origin(told: list[Pair], reference: str) -> None:
    assert same_origin(request(*told, path="/a"), reference) == ("/z",)
    assert same_origin(request(path="/a"), "http://public.test/z") == ()


@pytest.mark.parametrize(
    ("told", "reference"),
    [([HOST], "http://other/z"), ([("X-Forwarded-Host", ", @")], "http://public.test/z"), ([], "http:///z")],
)
def test_no_other_origin_is_ours(told: list[Pair], reference: str) -> None:
    assert same_origin(request(*told, path="/a"), reference) == ()


@pytest.mark.parametrize(
    ("prefix", "reference", "targets"),
    [
        ("/app", "/app/z?q", ("/app/z?q", "/z?q")),
        ("/app/", "/app", ("/app", "/")),
        ("/app", "/app?q", ("/app?q", "/?q")),
        ("/app", "/apple", ("/apple",)),
        ("/outer, /inner", "/outer/inner/z", ("/outer/inner/z", "/inner/z", "/z")),
        ("/", "/z", ("/z",)),
        ("", "/z", ("/z",)),
    ],
)
def test_a_told_prefix_comes_off(prefix: str, reference: str, targets: tuple[str, ...]) -> None:
    assert same_origin(request(("X-Forwarded-Prefix", prefix), path="/a"), reference) == targets


@pytest.mark.parametrize(
    ("backend", "reference", "targets"),
    [
        ("http://in:8000", "http://IN:8000/z", ("/z",)),
        ("http://in:8000/api/", "http://in:8000/api/z", ("/api/z", "/z")),
        ("http://in", "http://in:80/z", ("/z",)),
        ("http://in:8000", "http://in/z", ()),
        ("unix:/run/backend", "http://localhost/z", ("/z",)),
        ("", "http://localhost/z", ()),
    ],
)
def test_the_backend_s_own_origin_is_ours(backend: str, reference: str, targets: tuple[str, ...]) -> None:
    assert same_origin(request(path="/a"), reference, backend) == targets
