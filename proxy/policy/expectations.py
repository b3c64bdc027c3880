"""The tests inside a policy file: what would become of a request is asked of the core, and compared with the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from proxy.core.fields import Fields
from proxy.core.messages import RequestHead, ResponseHead
from proxy.core.storability import Storable
from proxy.policy.document import Document, KeyPath, show_path
from proxy.policy.explain import BadTargetError, Explanation, explain, request_head
from proxy.policy.model import Policy
from proxy.policy.problems import Problem
from proxy.policy.schema_tests import ExpectShape, ResponseShape, TestShape
from proxy.policy.units import format_duration


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An expectation that does not hold: the key it stands under, and what is true instead."""

    key: str
    truth: str


def run_tests(document: Document, tests: Mapping[int, TestShape], policy: Policy) -> Iterator[Problem]:
    """A problem for every expectation that fails; `tests` are by their index in the file."""
    for index, test in tests.items():
        at: KeyPath = ("tests", index)
        try:
            request = request_head(policy, test.request.method, test.request.path, test.request.headers.items())
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
    head = ResponseHead(response.status, "", Fields(response.headers.items()))
    found = explain(policy, request, head)
    truths = {**_routing(found), **_storing(found)}
    for key in sorted(expect.model_fields_set):
        wanted = getattr(expect, key)
        if key in ("same_key_as", "other_key_than"):
            other = explain(policy, request_head(policy, request.method, wanted, request.fields.pairs), head)
            same = found.key == other.key
            if same is not (key == "same_key_as"):
                yield Disagreement(key, f"{wanted} has {'the same' if same else 'another'} key")
        elif truths[key][0] != wanted:
            yield Disagreement(key, truths[key][1])


def _routing(found: Explanation) -> dict[str, tuple[object, str]]:
    route, params = found.match.route, found.match.params
    limit = route.rate_limit.limit.name if route.rate_limit is not None else None
    tags, invalidated = list(found.tags), list(found.invalidates)
    return {
        "route": (route.name, f'it takes the route "{route.name}"'),
        "params": (dict(params), f"the parameters are {dict(params)}"),
        "upstream": (route.upstream, f'the upstream is "{route.upstream}"'),
        "tags": (tags, f"the tags are {tags}"),
        "invalidates": (invalidated, f"it invalidates {invalidated}"),
        "rate_limit": (limit, f'the limit "{limit}" counts it' if limit else "no limit counts it"),
    }


def _storing(found: Explanation) -> dict[str, tuple[object, str]]:
    if not isinstance(found.verdict, Storable):
        why = f"it would not be stored: {found.verdict.reason.value}"
        return {"cacheable": (False, why), "ttl": (None, why)}
    source = found.verdict.lifetime.source.value
    shown = f"it would be fresh for {format_duration(found.ttl_s or 0)} ({source})"
    return {"cacheable": (True, "it would be stored"), "ttl": (found.ttl_s, shown)}
