"""The tests inside a policy file: what would become of a request is asked of the core, and compared with the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from proxy.core.fields import Fields
from proxy.core.key import cache_key
from proxy.core.messages import RequestHead, ResponseHead
from proxy.core.storability import Storable, judge
from proxy.core.target import TargetRefusal, parse_target
from proxy.policy.document import Document, KeyPath, show_path
from proxy.policy.model import Match, Policy
from proxy.policy.problems import Problem
from proxy.policy.schema import ExpectShape, ResponseShape, TestShape
from proxy.policy.units import format_duration

AUTHORITY = "policy.test"
_NOW = 1_700_000_000.0  # any moment does: nothing here depends on which
_ANY_DIGEST = "digest"


class BadTargetError(ValueError):
    """A target that the proxy would refuse with 400."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An expectation that does not hold: the key it stands under, and what is true instead."""

    key: str
    truth: str


def request_head(method: str, target: str, headers: Mapping[str, str]) -> RequestHead:
    """The request of a test as the pipeline would see it. Raises BadTargetError."""
    found = parse_target(target, [AUTHORITY], method=method)
    if isinstance(found, TargetRefusal):
        msg = f'"{target}" would be refused: {found.reason.value}'
        raise BadTargetError(msg)
    return RequestHead(method, found.path, found.query, found.authority, Fields(headers.items()))


def run_tests(document: Document, tests: Mapping[int, TestShape], policy: Policy) -> Iterator[Problem]:
    """A problem for every expectation that fails; `tests` are by their index in the file."""
    for index, test in tests.items():
        at: KeyPath = ("tests", index)
        try:
            request = request_head(test.request.method, test.request.path, test.request.headers)
            found = list(compare(policy, request, test.response, test.expect))
        except BadTargetError as error:
            mark = document.locate((*at, "request"))
            yield Problem(mark.line, mark.column, show_path((*at, "request")), str(error))
            continue
        for wrong in found:
            path: KeyPath = (*at, "expect", wrong.key)
            mark = document.locate(path, key=True)
            shown = f"{test.request.method} {test.request.path}"
            yield Problem(mark.line, mark.column, show_path(path), f"test failed for {shown}: {wrong.truth}")


def compare(
    policy: Policy, request: RequestHead, response: ResponseShape, expect: ExpectShape
) -> Iterator[Disagreement]:
    """Every given expectation that does not hold. Raises BadTargetError for a target to compare keys with."""
    match = policy.match(request.method, request.path, request.query)
    truths = {**_routing(match), **_storing(match, request, response)}
    for key in sorted(expect.model_fields_set):
        wanted = getattr(expect, key)
        if key in ("same_key_as", "other_key_than"):
            yield from _compare_keys(policy, match, request, key, wanted)
        elif truths[key][0] != wanted:
            yield Disagreement(key, truths[key][1])


def _routing(match: Match) -> dict[str, tuple[object, str]]:
    route, params = match
    limit = route.rate_limit.limit.name if route.rate_limit is not None else None
    tags, invalidated = list(route.tags(params)), list(route.invalidates(params))
    return {
        "route": (route.name, f'it takes the route "{route.name}"'),
        "params": (dict(params), f"the parameters are {dict(params)}"),
        "upstream": (route.upstream, f'the upstream is "{route.upstream}"'),
        "tags": (tags, f"the tags are {tags}"),
        "invalidates": (invalidated, f"it invalidates {invalidated}"),
        "rate_limit": (limit, f'the limit "{limit}" counts it' if limit else "no limit counts it"),
    }


def _storing(match: Match, request: RequestHead, response: ResponseShape) -> dict[str, tuple[object, str]]:
    rules = match.route.cache
    if not rules.enabled:
        return {"cacheable": (False, "caching is off for the route"), "ttl": (None, "caching is off for the route")}
    head = ResponseHead(response.status, "", Fields(response.headers.items()))
    judged = judge(request, head, rules, _NOW, _NOW, body_digest=_ANY_DIGEST if request.method == "QUERY" else None)
    if not isinstance(judged, Storable):
        why = f"it would not be stored: {judged.reason.value}"
        return {"cacheable": (False, why), "ttl": (None, why)}
    life = judged.lifetime
    shown = f"it would be fresh for {format_duration(life.seconds)} ({life.source.value})"
    return {"cacheable": (True, "it would be stored"), "ttl": (life.seconds, shown)}


def _compare_keys(policy: Policy, match: Match, request: RequestHead, key: str, target: str) -> Iterator[Disagreement]:
    other = request_head(request.method, target, dict(request.fields.pairs))
    other_match = policy.match(other.method, other.path, other.query)
    digest = _ANY_DIGEST if request.method == "QUERY" else None
    mine = cache_key(request, match.route.cache, body_digest=digest)
    theirs = cache_key(other, other_match.route.cache, body_digest=digest)
    same = mine == theirs
    if same is not (key == "same_key_as"):
        yield Disagreement(key, f"{target} has {'the same' if same else 'another'} key")
