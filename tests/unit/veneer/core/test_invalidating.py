"""What an exchange makes invalid: RFC 9111 section 4.4, RFC 9875 section 3."""

import pytest

from tests.support.exchanges import request
from veneer.core.fields import Fields, Pair
from veneer.core.invalidating import MAX_NAMED, Targets, invalidated_by
from veneer.core.invalidation import Invalidation, InvalidationMode
from veneer.core.messages import RequestHead
from veneer.core.rules import KeyRules

PLAIN = KeyRules()


def _plain(_path: str, _query: str | None) -> KeyRules:
    return PLAIN


AS_THEY_COME = Targets(_plain, _plain)


def after(
    to: RequestHead, *fields: Pair, status: int = 200, counts: bool | None = None, **rules: KeyRules
) -> Invalidation:
    def rules_of(_path: str, _query: str | None) -> KeyRules:
        return rules.get("rules", PLAIN)

    targets = Targets(rules_of, rules_of, "http://backend:8000")
    (found,) = invalidated_by(to, status, Fields(fields), targets=targets, counts=counts) or (Invalidation(),)
    return found


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "M-SEARCH", "FOO"])
def test_every_method_not_known_to_be_safe_invalidates_its_target(method: str) -> None:
    found = after(request(method=method, query="q"))
    assert (found.uris, found.tags) == (("site/a?q", "site/a"), ("no-vary-search=site/a",))


@pytest.mark.parametrize(("status", "counts"), [(200, True), (303, True), (304, True), (404, False), (500, False)])
def test_only_success_counts_unless_the_route_says_so(status: int, counts: bool) -> None:
    assert bool(after(request(method="PUT"), status=status)) is counts
    assert after(request(method="PUT"), status=status, counts=True)
    assert not after(request(method="PUT"), status=status, counts=False)


def test_safe_methods_invalidate_only_what_they_name() -> None:
    location = ("Location", "/b")
    assert not after(request(), location, ("Cache-Group-Invalidation", '"g"'))
    assert after(request(), location, ("X-Cache-Invalidate", "a")) == Invalidation(tags=("a",))


def test_locations_of_the_same_origin_go_too() -> None:
    found = after(request(method="PUT"), ("Location", "../b?c"), ("Content-Location", "http://other/d"))
    assert found.uris == ("site/a", "site/b?c", "site/b")


def test_uris_are_named_as_the_get_route_keys_them() -> None:
    rules = KeyRules(query_except=frozenset({"utm"}))
    assert after(request(method="PUT", query="b=1&utm=2"), rules=rules).uris == (
        "site/a?b=1",
        "site/a?b=1&utm=2",
        "site/a",
    )


def test_the_client_s_origin_and_the_backend_s_are_one() -> None:
    to = request(("X-Forwarded-Host", "public.test"), ("Destination", "https://public.test/c"), method="MOVE")
    found = after(to, ("Location", "https://public.test/b"), ("Content-Location", "http://backend:8000/d"))
    assert found.uris == ("site/a", "site/b", "site/d", "site/c")
    assert found.uri_prefixes == ("site/a/", "site/c/")


def test_uris_named_outright_are_keyed_whether_or_not_their_target_is_spared() -> None:
    targets = Targets(lambda _path, _query: None, lambda _path, _query: KeyRules(query_sort=True))
    named = Fields([("X-Cache-Invalidate", "/p?b=1&a=2")])
    (found,) = invalidated_by(request(method="PUT"), 200, named, targets=targets)
    assert found.uris == ("/p?a=2&b=1", "/p?b=1&a=2", "/p")


def test_groups_and_the_policy_s_tags() -> None:
    to = request(method="POST")
    (found,) = invalidated_by(
        to, 200, Fields([("Cache-Group-Invalidation", '"g"')]), targets=AS_THEY_COME, policy_tags=("users:*",)
    )
    assert found.tags == ("users:*", "g")
    assert after(to, ("Cache-Group-Invalidation", "bare")).tags == ("bare",)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", Invalidation()),
        ("a, b:1  users:*", Invalidation(tags=("a", "b:1", "users:*"))),
        (
            "/p?q /x/* /%7e",
            Invalidation(tags=("no-vary-search=/p",), uris=("/p?q", "/p", "/~"), uri_prefixes=("/x/",)),
        ),
        ("*", Invalidation(everything=True)),
        ("a ;soft", Invalidation(tags=("a",), strength=InvalidationMode.SOFT)),
    ],
)
def test_the_proxy_s_own_field(value: str, expected: Invalidation) -> None:
    assert after(request(), ("X-Cache-Invalidate", value)) == expected


def test_what_a_field_makes_soft_makes_nothing_else_soft() -> None:
    to = request(method="PUT", path="/a")
    fields = Fields([("X-Cache-Invalidate", "lists ;soft"), ("Cache-Group-Invalidation", '"g"')])
    soft, hard = invalidated_by(to, 200, fields, targets=AS_THEY_COME)
    assert soft == Invalidation(tags=("lists",), strength=InvalidationMode.SOFT)
    assert (hard.strength, hard.tags) == (InvalidationMode.HARD, ("g",))
    assert "site/a" in hard.uris


def test_too_many_names_mean_everything() -> None:
    many = " ".join(f"t{n}" for n in range(MAX_NAMED + 1))
    assert after(request(), ("X-Cache-Invalidate", many)) == Invalidation(everything=True)
    policy = tuple(many.split())
    (found,) = invalidated_by(request(method="PUT"), 200, Fields(), targets=AS_THEY_COME, policy_tags=policy)
    assert found == Invalidation(everything=True)
