"""The tests inside a policy file: what would become of a request is asked of the core, and compared with the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from veneer.core.fields import Fields
from veneer.core.messages import RequestHead, ResponseHead
from veneer.core.storability import Storable
from veneer.policy.document import Document, KeyPath, show_path
from veneer.policy.explain import BadTargetError, Explanation, asserted, explain, request_head, whose_lifetime
from veneer.policy.identities import PREFIX
from veneer.policy.model import Policy
from veneer.policy.problems import ConfigError
from veneer.policy.schema_tests import ExpectShape, TestShape
from veneer.policy.units import format_duration


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An expectation that does not hold: the key it stands under, and what is true instead."""

    key: str
    truth: str


class UnansweredError(Exception):
    """A response that a test is to be judged by cannot be had; the text says why."""


Answer = Callable[[Policy, RequestHead, TestShape], ResponseHead | None]
"""The response to judge a test by, None for the one that it gives. Raises UnansweredError."""


def as_written(policy: Policy, request: RequestHead, test: TestShape) -> ResponseHead | None:  # noqa: ARG001 - an Answer
    """The response that the test gives."""
    return None


def run_tests(
    document: Document, tests: Mapping[int, TestShape], policy: Policy, answer: Answer = as_written
) -> Iterator[ConfigError]:
    """A problem for every expectation that fails; `tests` are by their index in the file."""
    for index, test in tests.items():
        at: KeyPath = ("tests", index)
        try:
            request = request_head(policy, test.request.method, test.request.path, test.request.headers.items())
            asked = answer(policy, request, test)
            written = ResponseHead(test.response.status, "", Fields(test.response.headers.items()))
            found = list(compare(policy, request, asked or written, test.expect, test.request.identity))
        except (BadTargetError, UnansweredError) as error:
            position = document.locate((*at, "request"))
            yield ConfigError(
                position.line, position.column, show_path((*at, "request")), str(error), None, position.file
            )
            continue
        for wrong in found:
            path: KeyPath = (*at, "expect", wrong.key)
            position = document.locate(path, key=True)
            shown = f"{test.request.method} {test.request.path}" + (", as it is answered now" if asked else "")
            message = f"test failed for {shown}: {wrong.truth}"
            yield ConfigError(position.line, position.column, show_path(path), message, None, position.file)


def compare(
    policy: Policy, request: RequestHead, head: ResponseHead, expect: ExpectShape, identity: Mapping[str, str]
) -> Iterator[Disagreement]:
    """Every given expectation that does not hold. Raises BadTargetError for a target to compare keys with."""
    proofs = asserted(identity)
    found = explain(policy, request, head, proofs)
    truths = {**_routing(found), **_storing(found, head.status)}
    for key in sorted(expect.model_fields_set):
        wanted = getattr(expect, key)
        if key in ("same_key_as", "other_key_than"):
            other = explain(policy, request_head(policy, request.method, wanted, request.fields.pairs), head, proofs)
            same = found.key == other.key
            if same is not (key == "same_key_as"):
                yield Disagreement(key, f"{wanted} has {'the same' if same else 'another'} key")
        elif truths[key][0] != wanted:
            yield Disagreement(key, truths[key][1])


def _routing(found: Explanation) -> dict[str, tuple[object, str]]:
    route = found.match.route
    params = {name: value for name, value in found.match.params.items() if not name.startswith(PREFIX)}
    limits = [rule.limit.name for rule in route.limits] or None
    tags, invalidated = list(found.tags), list(found.invalidates)
    return {
        "route": (route.name, f'it takes the route "{route.name}"'),
        "params": (params, f"the parameters are {params}"),
        "upstream": (route.upstream, f'the upstream is "{route.upstream}"'),
        "tags": (tags, f"the tags are {tags}"),
        "invalidates": (invalidated, f"it invalidates {invalidated}"),
        "rate_limit": (limits, f'the limit "{", ".join(limits)}" counts it' if limits else "no limit counts it"),
    }


def _storing(found: Explanation, status: int) -> dict[str, tuple[object, str]]:
    if not isinstance(found.verdict, Storable):
        why = f"it would not be stored: {found.verdict.reason.value}"
        return {"cacheable": (False, why), "ttl": (None, why)}
    shown = f"it would be fresh for {format_duration(found.ttl_s or 0)}, by {whose_lifetime(found, status)}"
    return {"cacheable": (True, "it would be stored"), "ttl": (found.ttl_s, shown)}
