"""What is added and taken on the way."""

import pytest

from proxy.core.fields import Fields, Pair
from proxy.core.forwarding import Peer, aged, believed, client_address, delayed_age, to_client, to_origin
from tests.support.exchanges import DATE, T, request

STRANGER, FRIEND = Peer("192.0.2.1", trusted=False), Peer("10.0.0.1", trusted=True)
TOLD: tuple[Pair, ...] = (
    ("X-Forwarded-For", "198.51.100.7"),
    ("X-Forwarded-Host", "public"),
    ("X-Forwarded-Proto", "https"),
    ("Forwarded", "for=198.51.100.7"),
)


def test_a_stranger_s_forwarding_fields_are_replaced() -> None:
    fields = to_origin(request(*TOLD, ("X-Original-URL", "/admin"), ("A", "b")), STRANGER, via="veneer").fields
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
    fields = to_origin(request(*TOLD, ("Via", "2 edge"), ("X-Original-URL", "/x")), FRIEND, via="veneer").fields
    assert fields.get("x-forwarded-for") == "198.51.100.7, 10.0.0.1"
    assert fields.get("x-forwarded-host") == "public"
    assert fields.get("x-forwarded-proto") == "https"
    assert fields.get("forwarded") == 'for=198.51.100.7, for=10.0.0.1;proto=http;host="site"'
    assert fields.get("via") == "2 edge, 1.1 veneer"
    assert fields.get("x-original-url") == "/x"


def test_only_trusted_proxies_are_believed() -> None:
    fields = Fields([*TOLD, ("A", "b")])
    assert believed(fields, STRANGER) == Fields([("A", "b")])
    assert believed(fields, FRIEND) == fields


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
    ],
)
def test_the_client_is_the_last_address_that_is_not_a_trusted_proxy(peer: Peer, told: str, address: str) -> None:
    known = frozenset({"10.0.0.1", "10.0.0.2"})
    assert client_address(Fields([("X-Forwarded-For", told)]), peer, known.__contains__) == address


def test_responses_gain_via_and_a_date_only_where_absent() -> None:
    assert to_client(Fields([DATE]), via="v", now=T + 9) == Fields([DATE, ("Via", "1.1 v")])
    assert to_client(Fields([("Via", "1.1 o")]), via="v", now=T, version=(1, 0)) == Fields(
        [("Via", "1.1 o, 1.0 v"), DATE]
    )


def test_age_is_rounded_to_the_nearest_second() -> None:
    for age_s, text in ((0.4, "0"), (2.6, "3"), (-1.0, "0")):
        assert aged(Fields([DATE, ("Age", "77")]), age_s).lines("age") == (text,)


def test_a_slow_origin_shows_in_age_from_one_second_up() -> None:
    assert "age" not in delayed_age(Fields(), 0.9)
    assert delayed_age(Fields(), 5.2).get("age") == "5"
    assert delayed_age(Fields([("Age", "1")]), 5.2).get("age") == "1"


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
