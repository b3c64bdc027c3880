"""What an exchange makes invalid: RFC 9111 section 4.4, RFC 9875 section 3."""

import pytest

from proxy.core.fields import Fields, Pair
from proxy.core.invalidating import MAX_NAMED, invalidated_by
from proxy.core.invalidation import Invalidation, Strength
from proxy.core.messages import RequestHead
from proxy.core.rules import KeyRules
from tests.support.exchanges import request

PLAIN = KeyRules()


def _plain(_path: str, _query: str | None) -> KeyRules:
    return PLAIN


def after(
    to: RequestHead, *fields: Pair, status: int = 200, counts: bool | None = None, **rules: KeyRules
) -> Invalidation:
    def rules_of(_path: str, _query: str | None) -> KeyRules:
        return rules.get("rules", PLAIN)

    (found,) = invalidated_by(to, status, Fields(fields), rules_of=rules_of, counts=counts) or (Invalidation(),)
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


def test_groups_and_the_policy_s_tags() -> None:
    to = request(method="POST")
    (found,) = invalidated_by(
        to, 200, Fields([("Cache-Group-Invalidation", '"g"')]), rules_of=_plain, policy_tags=("users:*",)
    )
    assert found.tags == ("users:*", "g")
    assert after(to, ("Cache-Group-Invalidation", "bare")).tags == ("bare",)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", Invalidation()),
        ("a, b:1  users:*", Invalidation(tags=("a", "b:1", "users:*"))),
        ("/p?q /x/* /%7e", Invalidation(uris=("/p?q", "/~"), uri_prefixes=("/x/",))),
        ("*", Invalidation(everything=True)),
        ("a ;soft", Invalidation(tags=("a",), strength=Strength.SOFT)),
    ],
)
def test_the_proxy_s_own_field(value: str, expected: Invalidation) -> None:
    assert after(request(), ("X-Cache-Invalidate", value)) == expected


def test_what_a_field_makes_soft_makes_nothing_else_soft() -> None:
    to = request(method="PUT", path="/a")
    fields = Fields([("X-Cache-Invalidate", "lists ;soft"), ("Cache-Group-Invalidation", '"g"')])
    soft, hard = invalidated_by(to, 200, fields, rules_of=_plain)
    assert soft == Invalidation(tags=("lists",), strength=Strength.SOFT)
    assert (hard.strength, hard.tags) == (Strength.HARD, ("g",))
    assert "site/a" in hard.uris


def test_too_many_names_mean_everything() -> None:
    many = " ".join(f"t{n}" for n in range(MAX_NAMED + 1))
    assert after(request(), ("X-Cache-Invalidate", many)) == Invalidation(everything=True)
    policy = tuple(many.split())
    (found,) = invalidated_by(request(method="PUT"), 200, Fields(), rules_of=_plain, policy_tags=policy)
    assert found == Invalidation(everything=True)
