"""First match wins, without trying every route: a dictionary for literal paths, a tree of segments for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter, itemgetter

from veneer.core.fields import Fields
from veneer.core.percent import folded
from veneer.policy.conditions import holds, implies
from veneer.policy.model import Match, Matcher, Route
from veneer.policy.template import Parameter


class _RouteCandidate:
    __slots__ = ("asked", "conditions", "match", "methods", "order", "route", "template")

    def __init__(self, order: int, route: Route) -> None:
        self.order = order
        self.route = route
        self.methods = route.methods
        self.conditions = route.conditions
        self.asked = route.asked or None
        self.template = route.template if route.template.rest_within else None  # has to be looked at as a whole
        self.match = None if route.template.names else Match(route)  # made once where there are no parameters


_in_order = attrgetter("order")


class _Node:
    """What may follow one beginning of a path.

    `passed` are the candidates that a path which goes on from here has met so far, `ended` those of one that ends
    here, each in order.
    """

    __slots__ = ("ended", "ends", "literals", "parameter", "passed", "rests")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.ends: list[_RouteCandidate] = []
        self.rests: list[_RouteCandidate] = []
        self.passed: list[_RouteCandidate] = []
        self.ended: list[_RouteCandidate] = []

    def settle(self, before: list[_RouteCandidate]) -> None:
        """Work out `passed` and `ended` of this node and all below it; `before` was met on the way to it."""
        self.ended = sorted(before + self.ends, key=_in_order)
        self.passed = sorted(before + self.rests, key=_in_order)
        for node in self.literals.values():
            node.settle(self.passed)
        if self.parameter is not None:
            self.parameter.settle(self.passed)


class RouteTable(Matcher):
    """Compiled routes. `routes[-1]` must accept every request: it is the default route.

    A path is split once and walks the tree; each node of the tree is visited at most once, and only nodes that agree
    with the path so far, so the work is bounded by the tree and in practice by the length of the path.
    """

    __slots__ = ("_default", "_exact", "_root")

    def __init__(self, routes: Sequence[Route]) -> None:
        listed, default = routes[:-1], routes[-1]
        self._default = Match(default)
        self._root = _Node()
        candidates = [_RouteCandidate(order, route) for order, route in enumerate(listed)]
        for candidate in candidates:
            self._grow(candidate)
        self._root.settle([])
        # A literal path's candidates are known beforehand, routes with parameters among them.
        literals = {path for route in listed if (path := route.template.literal) is not None}
        self._exact = {
            path: [c for c in candidates if c.route.template.matches(path[1:].split("/"))] for path in literals
        }

    def _grow(self, candidate: _RouteCandidate) -> None:
        node = self._root
        for part in candidate.route.template.parts:
            if not isinstance(part, Parameter):
                node = node.literals.setdefault(part, _Node())
            elif part.rest:
                node.rests.append(candidate)
                return
            else:
                node.parameter = node.parameter or _Node()
                node = node.parameter
        node.ends.append(candidate)

    def match(
        self, method: str, path: str, query: str | None, authority: str = "", fields: Fields | None = None
    ) -> Match:
        """The first route that accepts all of it. The spellings of a path that mean one match alike."""
        path = folded(path)
        candidates = self._exact.get(path)
        segments: list[str] | None = None
        if candidates is None:
            if not path.startswith("/"):
                return self._default  # OPTIONS * (RFC 9110 section 9.3.7)
            segments = path[1:].split("/")
            candidates = self._walk(segments)
        by_fields = False
        for candidate in candidates:
            if candidate.methods is not None and method not in candidate.methods:
                continue
            if candidate.conditions and not holds(candidate.conditions, query):
                continue
            if candidate.template is not None and not candidate.template.matches(segments or path[1:].split("/")):
                continue
            if candidate.asked is not None:
                by_fields = True
                if fields is None or not candidate.asked.hold(authority, fields):
                    continue
            if candidate.match is not None and not by_fields:
                return candidate.match
            parted = None if candidate.match is not None else segments or path[1:].split("/")
            return Match(candidate.route, parted, by_fields)
        return Match(self._default.route, None, True) if by_fields else self._default

    def _walk(self, segments: list[str]) -> list[_RouteCandidate]:
        """The candidates of a path, in order. The usual path goes one way; where it forks, `_fork` takes over."""
        node = self._root
        for index, segment in enumerate(segments):
            literal = node.literals.get(segment)
            parameter = node.parameter if segment else None
            if literal is not None and parameter is not None:
                return _fork([literal, parameter], segments[index + 1 :], node.passed)
            following = literal if parameter is None else parameter
            if following is None:
                return node.passed
            node = following
        return node.ended


def _fork(nodes: list[_Node], segments: list[str], found: list[_RouteCandidate]) -> list[_RouteCandidate]:
    for segment in segments:
        following: list[_Node] = []
        for node in nodes:
            found = found + node.rests
            if (literal := node.literals.get(segment)) is not None:
                following.append(literal)
            if node.parameter is not None and segment:
                following.append(node.parameter)
        nodes = following
    for node in nodes:
        found = found + node.ends
    return sorted(found, key=_in_order)


class EarlierRoutes:
    """The routes above another one, by how their paths begin: with a thousand of them most have nothing in common."""

    def __init__(self) -> None:
        self._by_literal: dict[str, list[tuple[int, Route]]] = {}
        self._others: list[tuple[int, Route]] = []
        self._count = 0

    def add(self, route: Route) -> None:
        """It stands below all others."""
        first = route.template.parts[0]
        home = self._others if isinstance(first, Parameter) else self._by_literal.setdefault(first, [])
        home.append((self._count, route))
        self._count += 1

    def covering(self, route: Route) -> tuple[Route, ...]:
        """Those that together leave nothing for `route`; empty when it can be reached."""
        first = route.template.parts[0]
        alike = [] if isinstance(first, Parameter) else self._by_literal.get(first, [])
        return _covered_by(route, [other for _, other in sorted([*self._others, *alike], key=itemgetter(0))])


def _covered_by(route: Route, earlier: Sequence[Route]) -> tuple[Route, ...]:
    covering: list[Route] = []
    for other in earlier:
        asks_no_more = set(other.conditions) <= set(route.conditions) and implies(route.asked, other.asked)
        if asks_no_more and other.template.covers(route.template):
            if other.methods is None:
                return (other,)
            if route.methods is None or not other.methods.isdisjoint(route.methods):
                covering.append(other)
    if route.methods is None:
        return ()
    taken = frozenset[str]().union(*(other.methods or () for other in covering))
    return tuple(covering) if route.methods <= taken else ()
