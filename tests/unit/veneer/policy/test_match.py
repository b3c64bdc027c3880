from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veneer.core.fields import Fields, Pair
from veneer.policy.conditions import PRESENT, FieldConditions, QueryCondition, holds
from veneer.policy.load import parse_policy
from veneer.policy.match import EarlierRoutes, RouteTable
from veneer.policy.model import Route
from veneer.policy.template import parse_path


def route(name: str, path: str, *methods: str, query: Mapping[str, str] | None = None) -> Route:
    conditions = tuple(QueryCondition(key, value) for key, value in (query or {}).items())
    return Route(name, "u", parse_path(path), frozenset(methods) or None, conditions)


LAST = route("default", "/{rest:path}")


def table(*routes: Route) -> RouteTable:
    return RouteTable((*routes, LAST))


def covered_by(route: Route, earlier: Iterable[Route]) -> tuple[Route, ...]:
    above = EarlierRoutes()
    for one in earlier:
        above.add(one)
    return above.covering(route)


def test_the_first_route_wins_whether_literal_or_parameter() -> None:
    literal, parameter = route("me", "/users/me"), route("user", "/users/{id}")
    assert table(literal, parameter).match("GET", "/users/me", None).route is literal
    found = table(parameter, literal).match("GET", "/users/me", None)
    assert (found.route, found.params) == (parameter, {"id": "me"})


@pytest.mark.parametrize(
    ("template", "path", "params"),
    [
        ("/", "/", {}),
        ("/a/{x}", "/a/1", {"x": "1"}),
        ("/a/{x}", "/a/", None),
        ("/a/{x}", "/a", None),
        ("/a/{x}", "/a/1/", None),
        ("/a/{x}/b/{y}", "/a/1/b/2%20", {"x": "1", "y": "2%20"}),
        ("/a/{x:path}", "/a/", {"x": ""}),
        ("/a/{x:path}", "/a", None),
        ("/a/{x:path}", "/a/b//c/", {"x": "b//c/"}),
        ("/{x:path}", "/", {"x": ""}),
        ("/a/{x:path}/raw", "/a/b/c/raw", {"x": "b/c"}),
        ("/a/{x:path}/raw", "/a/raw/raw/raw", {"x": "raw/raw"}),
        ("/a/{x:path}/raw", "/a//raw", {"x": ""}),
        ("/a/{x:path}/raw", "/a/raw", None),
        ("/a/{x:path}/raw", "/a/b/cooked", None),
        ("/{u}/{x:path}/{v}/end", "/1/2/3/4/end", {"u": "1", "x": "2/3", "v": "4"}),
        ("/{u}/{x:path}/{v}/end", "/1/2//end", None),
        ("/a/", "/a", None),
        ("/caf\u00e9", "/caf%C3%A9", {}),
        ("/a%7eb", "/a~b", {}),
        ("/a%3ab", "/a%3Ab", {}),
        ("/a%3ab", "/a:b", {}),
        ("/it's", "/it%27s", {}),
        ("/{x}", "/%40scope", {"x": "@scope"}),
    ],
)
def test_templates_match_whole_paths(template: str, path: str, params: dict[str, str] | None) -> None:
    only = route("it", template)
    expected = (LAST, {}) if params is None else (only, params)
    found = table(only).match("GET", path, None)
    assert (found.route, found.params) == expected


def test_a_match_knows_its_tags_and_passes_its_parameters_on() -> None:
    policy = parse_policy("routes: [{name: a, match: {path: '/a/{x}'}, cache: {tags: ['t:{x}']}}]", "p")
    found = policy.match("GET", "/a/1")
    assert found.tags == ("t:1",)
    other = found.under(route("b", "/a/{y}"))
    assert (other.params, other.tags) == ({"y": "1"}, ())


def test_methods_select_among_routes_of_one_path() -> None:
    read, write = route("read", "/a/{x}", "GET", "HEAD"), route("write", "/a/{x}", "PUT")
    routes = table(read, write)
    assert routes.match("PUT", "/a/1", None).route is write
    assert routes.match("HEAD", "/a/1", None).route is read
    assert routes.match("BREW", "/a/1", None).route is LAST


def test_get_includes_head_in_files() -> None:
    policy = parse_policy("routes: [{name: a, match: {path: /a, methods: [GET]}}]", "p")
    assert policy.match("HEAD", "/a").route.name == "a"


@pytest.mark.parametrize(
    ("query", "holding"),
    [
        ("type=user", True),
        ("q=1&type=user&x", True),
        ("type=us%65r", True),
        ("ty%70e=user", True),
        (None, False),
        ("type", False),
        ("type=task", False),
        ("type=user&type=task", False),
        ("type=user&type=user", False),
    ],
)
def test_a_query_condition_wants_its_value_exactly_once(query: str | None, holding: bool) -> None:
    assert holds((QueryCondition("type", "user"),), query) is holding


def test_a_target_that_is_no_path_takes_the_default_route() -> None:
    root = route("root", "/")
    assert table(root).match("OPTIONS", "*", None).route is LAST
    assert table(root).match("CONNECT", "", None).route is LAST


@pytest.mark.parametrize(
    ("earlier", "later", "reachable"),
    [
        ([route("a", "/x")], route("z", "/x"), False),
        ([route("a", "/{x}")], route("z", "/x"), False),
        ([route("a", "/{x}")], route("z", "/"), True),
        ([route("a", "/{x:path}")], route("z", "/{y}/b"), False),
        ([route("a", "/b/{x:path}")], route("z", "/b"), True),
        ([route("a", "/b")], route("z", "/{x}"), True),
        ([route("a", "/x", "GET")], route("z", "/x", "GET", "PUT"), True),
        ([route("a", "/x", "GET"), route("b", "/{y}", "PUT")], route("z", "/x", "GET", "PUT"), False),
        ([route("a", "/x", "GET")], route("z", "/x"), True),
        ([route("a", "/x", query={"t": "1"})], route("z", "/x"), True),
        ([route("a", "/x", query={"t": "1"})], route("z", "/x", query={"t": "1", "u": "2"}), False),
        ([route("a", "/x")], route("z", "/x", query={"t": "1"}), False),
        ([route("a", "/{x:path}")], route("z", "/{y:path}"), False),
        ([route("a", "/b/{x:path}")], route("z", "/{y:path}"), True),
    ],
)
def test_a_route_that_others_cover_is_found(earlier: list[Route], later: Route, reachable: bool) -> None:
    assert (covered_by(later, earlier) == ()) is reachable


SEGMENTS = st.sampled_from(["a", "b", "", "c"])
TEMPLATES = st.lists(st.sampled_from(["a", "b", "", "{}"]), min_size=1, max_size=4).flatmap(
    lambda parts: st.booleans().map(
        lambda rest: (
            "/" + "/".join(part.replace("{}", f"{{p{i}}}") for i, part in enumerate(parts)) + "/{r:path}" * rest
        )
    )
)
METHODS = st.sampled_from([(), ("GET",), ("PUT",), ("GET", "PUT")])
ROUTES = st.lists(st.tuples(TEMPLATES, METHODS, st.sampled_from([None, {"t": "1"}])), max_size=8)
PATHS = st.lists(SEGMENTS, min_size=1, max_size=6).map(lambda parts: "/" + "/".join(parts))


@pytest.mark.no_cover
@given(ROUTES, PATHS, st.sampled_from(["GET", "PUT", "POST"]), st.sampled_from([None, "t=1", "t=2"]))
def test_the_tree_finds_what_trying_each_route_in_order_finds(
    shapes: list[tuple[str, tuple[str, ...], dict[str, str] | None]], path: str, method: str, query: str | None
) -> None:
    routes = [route(f"r{i}", template, *methods, query=wanted) for i, (template, methods, wanted) in enumerate(shapes)]
    expected = LAST
    for candidate in routes:
        if (
            candidate.template.matches(path[1:].split("/"))
            and (candidate.methods is None or method in candidate.methods)
            and holds(candidate.conditions, query)
        ):
            expected = candidate
            break
    found = table(*routes).match(method, path, query)
    assert found.route is expected
    assert set(found.params) == (set() if expected is LAST else set(expected.template.names))


@pytest.mark.no_cover
@given(ROUTES, PATHS, st.sampled_from(["GET", "PUT", "POST"]), st.sampled_from([None, "t=1", "t=2"]))
def test_an_unreachable_route_is_never_taken(
    shapes: list[tuple[str, tuple[str, ...], dict[str, str] | None]], path: str, method: str, query: str | None
) -> None:
    routes = [route(f"r{i}", template, *methods, query=wanted) for i, (template, methods, wanted) in enumerate(shapes)]
    taken = table(*routes).match(method, path, query).route
    if taken is not LAST:
        assert covered_by(taken, routes[: routes.index(taken)]) == ()


def asking(name: str, path: str, **asked: object) -> Route:
    return replace(route(name, path), asked=FieldConditions(**asked))  # type: ignore[arg-type]


def test_hosts_headers_and_cookies_choose() -> None:
    beta = asking("beta", "/a/{x}", headers=(("x-beta", "1"),))
    shop = asking("shop", "/a/{x}", hosts=("shop.example", "*.shop.example"))
    member = asking("member", "/a/{x}", cookies=(("plan", "gold"), ("seen", PRESENT)))
    rest = route("rest", "/a/{x}")
    routes = table(beta, shop, member, rest)

    def taken(authority: str, *pairs: Pair) -> str:
        found = routes.match("GET", "/a/1", None, authority, Fields(pairs))
        assert found.by_fields
        assert found.params == {"x": "1"}
        return found.route.name

    assert taken("x", ("X-Beta", " 1 ")) == "beta"
    assert taken("x", ("X-Beta", "1"), ("X-Beta", "2")) == "rest"
    assert [taken(host) for host in ("shop.example", "SHOP.example:81", "a.b.shop.example")] == ["shop"] * 3
    assert [taken(host) for host in ("myshop.example", ".shop.example.x", "[::1]:80")] == ["rest"] * 3
    assert taken("x", ("Cookie", "a=1; plan=gold; seen=")) == "member"
    assert taken("x", ("Cookie", "plan=gold"), ("Cookie", "seen=1")) == "member"
    assert taken("x", ("Cookie", "plan=gold; plan=gold; seen=1")) == "rest"
    unasked = routes.match("GET", "/a/1", None)
    assert (unasked.route, unasked.by_fields) == (rest, True)
    assert not routes.match("GET", "/b", None, "x", Fields()).by_fields


def test_what_asks_for_more_can_be_reached_before_what_asks_for_less() -> None:
    plain, beta = route("plain", "/a"), asking("beta", "/a", headers=(("x-beta", "1"),))
    assert covered_by(beta, [plain]) == (plain,)
    assert covered_by(plain, [beta]) == ()
    hosts = asking("two", "/a", hosts=("a", "b")), asking("one", "/a", hosts=("a",))
    assert covered_by(hosts[1], hosts[:1]) == hosts[:1]
    assert covered_by(hosts[0], hosts[1:]) == ()
