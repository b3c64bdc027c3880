"""`veneer explain TARGET`: replay one decision offline, from the route to the cache key and the lifetime."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from veneer.cli.asking import ask
from veneer.cli.proving import identity_rows, proofs_here
from veneer.core.field_edits import NO_EDITS, TAGS_HIDDEN
from veneer.core.fields import Fields
from veneer.core.messages import ResponseHead
from veneer.core.storability import NotStorable
from veneer.loop.clock import SystemClock
from veneer.policy.conditions import FieldConditions
from veneer.policy.expectations import UnansweredError
from veneer.policy.explain import (
    BadTargetError,
    Explanation,
    asserted,
    explain,
    request_head,
    whose_lifetime,
)
from veneer.policy.load import NO_FILE, load_policy, parse_policy
from veneer.policy.model import Policy, Route
from veneer.policy.model_rates import RateRule
from veneer.policy.problems import PolicyError, without_secrets
from veneer.policy.remedies import remedy
from veneer.policy.settings import Overrides, read_environment
from veneer.policy.units import format_duration, format_size

FINE, WRONG = 0, 1
LOOKED_UP = frozenset({"GET", "HEAD", "QUERY"})


def explain_request(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Print what would become of the request; 1 when it or the policy is bad."""
    try:
        policy = _policy(arguments.policies, read_environment(environment))
        request = request_head(policy, arguments.method, arguments.target, arguments.header, arguments.host)
        response = ResponseHead(arguments.status, "", Fields(arguments.response_header))
        unknown = [name for name, _ in arguments.identity if all(name not in one.values for one in policy.identities)]
        if unknown:
            sys.stderr.write(f"no identity of the policy has the value {unknown[0]}\n")
            return WRONG
        if arguments.ask:
            response = ask(policy, request)
    except (PolicyError, BadTargetError, UnansweredError) as error:
        sys.stderr.write(f"{error}\n")
        return WRONG
    now = SystemClock().now()
    proofs = (*asserted(dict(arguments.identity)), *proofs_here(policy, request.fields, now))
    found = explain(policy, request, response, proofs, now)
    rows = [*rows_of(policy, found, response.status), *identity_rows(policy, found, proofs, now)]
    width = max(len(name) for name, _ in rows)
    text = "".join(f"{name:<{width}}  {value}\n" for name, value in rows)
    sys.stdout.write(without_secrets(text, policy.secrets))
    return FINE


def _policy(path: Path | None, overrides: Overrides) -> Policy:
    return parse_policy("", NO_FILE, overrides) if path is None else load_policy(Path(path), overrides)


def rows_of(policy: Policy, found: Explanation, status: int) -> Iterator[tuple[str, str]]:
    """Name and value of each line."""
    route, params = found.match.route, found.match.params
    methods = ", ".join(sorted(route.methods)) if route.methods is not None else "any method"
    yield "request", f"{found.request.method} {found.request.target}"
    yield "route", f"{route.name} ({methods} {route.template.text})"
    if route.asked:
        yield "asks for", _asked(route.asked)
    yield "parameters", ", ".join(f"{name}={value}" for name, value in params.items()) or "none"
    yield "upstream", f"{route.upstream} {policy.upstreams[route.upstream].url}"
    yield "rate limit", "; ".join(_rate(rule) for rule in route.limits) or "none"
    yield "cache key", _key(found)
    yield f"a {status}", _storing(found)
    if (helps := remedy(found)) is not None:
        yield "what helps", helps
    if (whose := whose_lifetime(found, status)) is not None:
        yield "lifetime", whose
    yield "tags", ", ".join((*found.tags, *found.own_tags)) or "none"
    if not found.request.is_safe:
        named = f"{', '.join((*found.invalidates, _target(policy, found)))} ({route.consistency.value})"
        yield "invalidates", named if status in route.invalidates_on else f"nothing: {status} does not count as done"
    yield from _fields(route)
    compress = route.compress
    codings = (
        f"{', '.join(compress.coding.prefer)} at level {compress.level} from {format_size(compress.coding.min_bytes)}"
    )
    yield "compression", codings if compress.enabled else "off"


def _target(policy: Policy, found: Explanation) -> str:
    spared, request = found.match.route.spare_target_keyed_by, found.request
    if spared and policy.stored_as(request.path, request.query, spared) is None:
        return "the target URI where the response does not say what has changed"
    return "the target URI"


def _asked(asked: FieldConditions) -> str:
    hosts = [f"host {' or '.join(asked.hosts)}"] if asked.hosts else []
    headers = [f"{name}: {value}" for name, value in asked.headers]
    return ", ".join([*hosts, *headers, *(f"cookie {name}={value}" for name, value in asked.cookies)])


def _fields(route: Route) -> Iterator[tuple[str, str]]:
    """What the route takes out of messages and puts into them."""
    for name, edits in (("request fields", route.request), ("response fields", route.response)):
        if edits in (NO_EDITS, TAGS_HIDDEN):
            continue
        removed = edits.dropped - edits.names
        said = [f"without {', '.join(sorted(removed))}"] if removed else []
        said += [f"{field}: {value}" for field, value in edits.lines]
        said += [f"{field}: {value} (where there is none)" for field, value in edits.missing]
        if said:
            yield name, "; ".join(said)
    origins = sorted(route.cors.origins)
    learns = ["what the backend let read its last answer"] if route.cors.learns else []
    yield "own answers", f"may be read by pages of {', '.join([*origins, *learns]) or 'this origin alone'}"


def _key(found: Explanation) -> str:
    if not found.match.route.cache.enabled:
        return "none: caching is off for the route"
    if found.request.method not in LOOKED_UP:
        return f"none: {found.request.method} is never answered from the store"
    return found.key


def _rate(rule: RateRule) -> str:
    parts = [f"{key.kind.value}:{key.name}" if key.name else key.kind.value for key in (rule.key, *rule.further)]
    limit, key = rule.limit, " and ".join(parts)
    return f"{limit.name}: {limit.quota} in {format_duration(limit.window_s)}, burst {limit.burst}, by {key}"


def _storing(found: Explanation) -> str:
    if isinstance(found.verdict, NotStorable):
        return f"is not stored: {found.verdict.reason.value}"
    standing, life = found.standing, found.verdict.lifetime
    assert standing is not None
    fresh = f"is stored, fresh for {format_duration(found.ttl_s or 0)} ({life.source.value})"
    windows = (
        ("asked about on every use", 0.0 if standing.terms.must_validate else None),
        ("stale-while-revalidate", standing.terms.stale_while_revalidate_s or None),
        ("stale-if-error", standing.terms.stale_if_error_s or None),
    )
    shown = [f"{name} {format_duration(value)}" if value else name for name, value in windows if value is not None]
    return ", ".join([fresh, *shown])
