"""What is added and taken on the way."""

import pytest

from tests.support.exchanges import DATE, T, request
from veneer.core.fields import Fields, Pair
from veneer.core.forwarding import (
    Peer,
    age_line,
    client_address,
    delay_line,
    passed_before,
    strip_untrusted,
    to_client,
    to_origin,
)

STRANGER, FRIEND = Peer("192.0.2.1", trusted=False), Peer("10.0.0.1", trusted=True)
TRUSTED = frozenset({"10.0.0.1", "10.0.0.2"}).__contains__
TOLD: tuple[Pair, ...] = (
    ("X-Forwarded-For", "198.51.100.7"),
    ("X-Forwarded-Host", "public"),
    ("X-Forwarded-Proto", "https"),
    ("Forwarded", "for=198.51.100.7"),
)


def test_a_stranger_s_forwarding_fields_are_replaced() -> None:
    said = strip_untrusted(Fields([*TOLD, ("X-Original-URL", "/admin"), ("A", "b")]), STRANGER, TRUSTED)
    fields = to_origin(request().with_fields(said), STRANGER, via="veneer").fields
    assert fields == Fields(
        [
            ("A", "b"),
            ("X-Forwarded-For", "192.0.2.1"),
            ("X-Forwarded-Host", "site"),
            ("X-Forwarded-Proto", "http"),
            ("Forwarded", 'for=192.0.2.1;proto=http;host="site"'),
            ("Via", "1.1 veneer"),
        ]
    )


def test_a_trusted_proxy_s_are_continued() -> None:
    said = strip_untrusted(Fields([*TOLD, ("Via", "2 edge"), ("X-Original-URL", "/x")]), FRIEND, TRUSTED)
    fields = to_origin(request().with_fields(said), FRIEND, via="veneer").fields
    assert fields.get("x-forwarded-for") == "198.51.100.7, 10.0.0.1"
    assert fields.get("x-forwarded-host") == "public"
    assert fields.get("x-forwarded-proto") == "https"
    around = 'proto=https;host="public"'
    assert fields.get("forwarded") == f"for=198.51.100.7;{around}, for=10.0.0.1;{around}"
    assert fields.get("via") == "2 edge, 1.1 veneer"
    assert "x-original-url" not in fields, "the client may have written it"


def test_only_trusted_proxies_are_believed() -> None:
    fields = Fields([*TOLD, ("A", "b")])
    assert strip_untrusted(fields, STRANGER, TRUSTED) == Fields([("A", "b")])
    kept = strip_untrusted(fields, FRIEND, TRUSTED)
    assert set(kept.names()) == {"a", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"}


@pytest.mark.parametrize("name", ["Accept_Language", "X_Forwarded_Host", "x.host", "X-Scheme", "Proxy", "Client-IP"])
def test_what_servers_could_take_for_something_keyed_goes_on_only_where_it_is_named(name: str) -> None:
    fields = Fields([(name, "x"), ("A", "b")])
    for peer in (STRANGER, FRIEND):
        assert strip_untrusted(fields, peer, TRUSTED) == Fields([("A", "b")])
        assert strip_untrusted(fields, peer, TRUSTED, frozenset({name.lower()})) == fields


@pytest.mark.parametrize(
    ("said", "host", "proto", "chain"),
    [
        ("for=1.1.1.1;host=a.test;proto=https", "a.test", "https", "1.1.1.1"),
        ('For="[2001:DB8::1]:80";Host="a.test:1", for=10.0.0.2;host=inner', "a.test:1", None, "2001:db8::1, 10.0.0.2"),
        ("for=6.6.6.6;host=evil.test, for=1.1.1.1;host=a.test", "a.test", None, "6.6.6.6, 1.1.1.1"),
        ("for=_hidden;proto=https", None, "https", "_hidden"),
        ("", None, None, None),
    ],
)
def test_forwarded_alone_is_read(said: str, host: str | None, proto: str | None, chain: str | None) -> None:
    found = strip_untrusted(Fields([("Forwarded", said)]), FRIEND, TRUSTED)
    assert "forwarded" not in found
    assert (found.get("x-forwarded-host"), found.get("x-forwarded-proto")) == (host, proto)
    assert found.get("x-forwarded-for") == chain


def test_a_safe_method_is_not_made_another() -> None:
    override = ("X-HTTP-Method-Override", "DELETE")
    for peer in (STRANGER, FRIEND):
        assert "x-http-method-override" not in to_origin(request(override), peer, via="v").fields
        assert "x-http-method-override" in to_origin(request(override, method="POST"), peer, via="v").fields


def test_addresses_of_version_six_are_bracketed() -> None:
    fields = to_origin(request(), Peer("::1", trusted=False), via="v").fields
    assert (fields.get("forwarded") or "").startswith('for="[::1]"')


def test_accept_encoding_is_reduced_only_when_asked() -> None:
    asked = request(("Accept-Encoding", "deflate, gzip"))
    assert to_origin(asked, STRANGER, via="v").fields.get("accept-encoding") == "deflate, gzip"
    assert to_origin(asked, STRANGER, via="v", codings=("br", "gzip")).fields.get("accept-encoding") == "gzip"
    assert "accept-encoding" not in to_origin(request(), STRANGER, via="v", codings=("br",)).fields


@pytest.mark.parametrize(
    ("peer", "told", "address"),
    [
        (STRANGER, "1.1.1.1", "192.0.2.1"),
        (FRIEND, "1.1.1.1", "1.1.1.1"),
        (FRIEND, "6.6.6.6, 1.1.1.1, 10.0.0.2", "1.1.1.1"),
        (FRIEND, "10.0.0.2", "10.0.0.2"),
        (FRIEND, "", "10.0.0.1"),
        (FRIEND, "1.1.1.1:5001, 10.0.0.2:80", "1.1.1.1"),
        (FRIEND, "[2001:DB8:0::2]:443", "2001:db8::2"),
        (FRIEND, "::ffff:1.1.1.4", "1.1.1.4"),
        (FRIEND, "unknown", "unknown"),
    ],
)
def test_the_client_is_the_last_address_that_is_not_a_trusted_proxy(peer: Peer, told: str, address: str) -> None:
    said = strip_untrusted(Fields([("X-Forwarded-For", told)]), peer, TRUSTED)
    assert client_address(said, peer, TRUSTED) == address


def test_responses_gain_via_and_a_date_only_where_absent() -> None:
    assert to_client(Fields([DATE]), via="v", now=T + 9) == Fields([DATE, ("Via", "1.1 v")])
    assert to_client(Fields([("Via", "1.1 o")]), via="v", now=T, version=(1, 0)) == Fields(
        [("Via", "1.1 o, 1.0 v"), DATE]
    )


def test_age_is_rounded_to_the_nearest_second() -> None:
    for age_s, text in ((0.4, "0"), (2.6, "3"), (-1.0, "0")):
        assert age_line(age_s) == ("Age", text)


def test_a_slow_origin_shows_in_age_from_one_second_up() -> None:
    assert delay_line(Fields(), 0.9) is None
    assert delay_line(Fields(), 5.2) == ("Age", "5")
    assert delay_line(Fields([("Age", "1")]), 5.2) is None


@pytest.mark.parametrize(
    "lines",
    [
        [("X-Forwarded-For", "198.51.100.7:50123, 10.0.0.2:443")],
        [("X-Forwarded-For", "::ffff:198.51.100.7, ::FFFF:10.0.0.2")],
        [("Forwarded", 'for="198.51.100.7:50123", for=10.0.0.2')],
    ],
)
def test_a_port_makes_no_other_client_and_hides_no_trusted_hop(lines: list[Pair]) -> None:
    assert client_address(Fields(lines), FRIEND, {"10.0.0.1", "10.0.0.2"}.__contains__) == "198.51.100.7"


@pytest.mark.parametrize(
    ("via", "passed"),
    [
        ("1.1 veneer-1", True),
        ("2 edge, 1.0 veneer-1 (comment), 1.1 inner", True),
        ("HTTP/1.1 veneer-1", True),
        ("1.1 veneer-12", False),
        ("1.1 veneer", False),
        ("veneer-1", False),
        (", ,", False),
        ("", False),
    ],
)
def test_who_is_named_in_via_has_sent_the_request_on(via: str, passed: bool) -> None:
    assert passed_before(Fields([("Via", via)]), "veneer-1") is passed


def test_without_via_nobody_has() -> None:
    assert not passed_before(Fields(), "veneer-1")
