"""A key that nothing obeys is a promise nobody keeps: each is followed from the file to the code that reads it."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, get_origin

import pytest
import yaml
from mypy import build
from mypy.modulefinder import BuildSource
from mypy.nodes import MemberExpr
from mypy.options import Options
from mypy.types import Instance, UnionType, get_proper_type
from pydantic import BaseModel

from tests.golden.cases import CASES, split, surroundings
from veneer.core import line_sampling, rate, rules
from veneer.policy import model, model_changes, model_identity, model_rates, model_targets, node_settings, schema_tests
from veneer.policy.decode import nested_shape
from veneer.policy.document import read_document
from veneer.policy.load import parse_policy
from veneer.policy.problems import PolicyError
from veneer.policy.schema import PolicyShape

ROOT = Path(__file__).parents[4]
PROXY = ROOT / "proxy"
EVERYTHING, _ = split(next(case for case in CASES if case.stem == "03_everything"))

OTHERWISE: dict[str, object] = {
    "RouteShape.name": "renamed",
    "MatchShape.path": "/other/{kind}/{id}",
    "HealthShape.path": "/other",
    "UpstreamShape.url": "http://other.example",
    "TargetShape.url": "http://another.example:81",
    "AffinityShape.key": "cookie:other",
    "RateLimitShape.rate": "7/7s",
    "ListenerShape.address": "127.0.0.1:8081",
    "AdminShape.token_env": "OTHER_TOKEN",
    "AdminShape.token_file": "files/other-secret",
    "JwtKeyShape.secret_env": "OTHER_SECRET",
    "JwtKeyShape.secret_file": "files/other-secret",
    "JwtKeyShape.public_key": "-----BEGIN PUBLIC KEY----- other",
    "JwtKeyShape.public_key_file": "files/other.pem",
    "JwtKeyShape.jwks": "https://issuer.example/other",
    "JwtShape.values": {"tenant": "other", "user": "sub"},
    "SessionShape.cookies": ["other"],
    "SessionShape.value": "renamed",
    "HeaderShape.values": {"mail": "X-Other"},
    "SubrequestShape.url": "http://auth.example/other",
    "SubrequestShape.upstream": "one",
    "SubrequestShape.path": "/other",
    "SubrequestShape.credentials": ["cookie:other"],
    "SubrequestShape.values": {"team": "X-Other"},
    "PostgresShape.dsn": "postgresql://veneer@elsewhere/etter",
    "TableShape.tags": ["other"],
    "ChangeTagShape.tag": "other",
    "SourceShape.enabled": False,
    "DebeziumShape.key": "other",
    "TagStreamShape.key": "other",
    "PolicyShape.trusted_proxies": ["10.0.0.0/9"],
}
"""What stands for keys that cannot be left out."""
SAME_ANYWAY = {
    "PolicyShape.version",
    "PolicyShape.include",
    "PairShape.certificate",
    "PairShape.key",
    "ListenerTlsShape.others",
    "ListenerTlsShape.min_version",
    "TlsShape.ca",
    "TlsShape.certificate",
    "TlsShape.key",
    "JwtKeyShape.ca",
    "SubrequestShape.ca",
}
"""There is one version yet; what an included file says stands in its place before anything is read; and files of TLS
have to be there: test_dial, test_key_sets and test_listener_tls have them."""
TESTS = {shape for shape in vars(schema_tests).values() if isinstance(shape, type) and issubclass(shape, BaseModel)}

Where = tuple[str | int, ...]
Key = tuple[type[BaseModel], str]


def leaves(shape: type[BaseModel]) -> Iterator[Key]:
    """Every key below a shape that is no section itself."""
    for name, field in shape.model_fields.items():
        below = nested_shape(field.annotation)
        if below is None:
            yield _owner(shape, name), field.alias or name
        elif below not in TESTS:
            yield from leaves(below)


def _owner(shape: type[BaseModel], name: str) -> type[BaseModel]:
    """The shape that says what the key is: what a route has is the same under `defaults`."""
    return next(base for base in reversed(shape.mro()) if issubclass(base, BaseModel) and name in base.model_fields)


def places(tree: Any, shape: type[BaseModel], where: Where = ()) -> Iterator[tuple[Key, Where]]:
    """Every leaf that a tree gives a value, with its place there."""
    for name, field in shape.model_fields.items():
        key, below = field.alias or name, nested_shape(field.annotation)
        if key not in tree or below in TESTS:
            continue
        if below is None:
            yield (_owner(shape, name), key), (*where, key)
        elif get_origin(field.annotation) in {dict, list}:
            for step, one in tree[key].items() if isinstance(tree[key], dict) else enumerate(tree[key]):
                yield from places(one, below, (*where, key, step))
        else:
            yield from places(tree[key], below, (*where, key))


_WORKED_OUT = {"version_digest", "matcher", "warnings", "written"}


def plain(value: object) -> object:
    """A policy as what can be compared, whatever its objects think of equality."""
    if isinstance(value, Enum) or value is None:
        return value
    if is_dataclass(value) and not isinstance(value, type):
        kept = [field.name for field in fields(value) if field.name not in _WORKED_OUT]
        return type(value).__name__, {name: plain(getattr(value, name)) for name in kept}
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [plain(inner) for inner in value]
    assert isinstance(value, str | int | float | frozenset), type(value)
    return value


def built(tree: object) -> object:
    return plain(parse_policy(json.dumps(tree), "p", sources=surroundings()))


def changes(tree: Any, whole: object, name: str, where: Where) -> bool:
    """Whether the policy is not the `whole` without this key, or where it cannot be left out, with another value."""
    other = deepcopy(tree)
    inner = other
    for step in where[:-1]:
        inner = inner[step]
    if name in OTHERWISE:
        inner[where[-1]] = OTHERWISE[name]
    else:
        del inner[where[-1]]
    try:
        return built(other) != whole
    except PolicyError:
        return False


class QuickLoader(yaml.CSafeLoader):
    """libyaml's reader, which makes the same of JSON in a tenth of the time."""

    def get_event(self) -> yaml.Event | None:
        event = super().get_event()
        if isinstance(event, yaml.ScalarEvent):
            event.style = event.style or None  # what has no quotes is of the style "" there
        return event


@pytest.mark.no_cover
def test_every_key_reaches_the_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """03_everything gives each key a value that is not its default, so that without it another policy comes out.

    Hundreds of policies are built, and what takes long is to read their text.
    """
    tree = read_document(EVERYTHING, "p").plain()
    whole = built(tree)
    monkeypatch.setattr(yaml, "SafeLoader", QuickLoader)
    assert built(tree) == whole
    given: dict[str, list[Where]] = {}
    for key, where in places(tree, PolicyShape):
        given.setdefault(_shown(key), []).append(where)
    every = {_shown(key) for key in leaves(PolicyShape)} - SAME_ANYWAY
    assert sorted(every - given.keys()) == [], "tests/golden/03_everything.txt gives each a value"
    idle = [name for name in every if not any(changes(tree, whole, name, where) for where in given[name])]
    unfilled = (
        "without these the policy is the same: either the value in 03_everything is the default, or no member of "
    )
    unfilled += "the policy is named after the key, and nothing in policy/build.py or policy/caching.py fills one in"
    assert sorted(idle) == [], unfilled


def _shown(key: Key) -> str:
    return f"{key[0].__name__}.{key[1]}"


def test_every_expectation_of_a_test_can_fail() -> None:
    report = split(next(case for case in CASES if case.stem == "50_failing_tests"))[1]
    assert {
        key for key in schema_tests.ExpectShape.model_fields if f".expect.{key}: test failed" not in report
    } == set()


WITHIN_THE_POLICY = {
    "AdminSettings.token_file",
    "ChangeSettings.on_loss",
    "Policy.matcher",
    "Policy.files",
    "Policy.is_empty",
    "Route.asked",
    "Route.conditions",
    "Route.fixed_invalidates",
    "Route.fixed_tags",
    "Route.invalidation_templates",
    "Route.kept",
    "Route.tag_templates",
    "UpstreamSettings.name",
}
"""Read by the policy itself, when it matches, fills in or is replaced."""


def members_read() -> set[str]:
    """`Class.member` of everything that modules outside the policy read, each by the type that mypy finds."""
    options = Options()
    options.export_types = options.preserve_asts = options.ignore_missing_imports = True
    options.follow_imports = "skip"
    options.incremental, options.cache_dir = False, os.devnull
    options.mypy_path = [str(PROXY)]
    paths = [path for path in (PROXY / "veneer").rglob("*.py") if path.name not in {"__init__.py", "hatch_hook.py"}]
    paths += [path for path in (PROXY / "veneer").rglob("__init__.py") if path.stat().st_size]
    sources = [BuildSource(str(path), _module(path)) for path in paths]
    result = build.build(sources, options)
    outside = {spot for path in paths if path.parent.name != "policy" for spot in _spots(path)}
    found = set[str]()
    for node in result.types:
        # mypy does not say in which file an expression stands. None of the policy stands at just such a spot by chance.
        if isinstance(node, MemberExpr) and (node.name, node.line, node.column, node.end_column) in outside:
            owner = get_proper_type(result.types.get(node.expr))
            for one in owner.items if isinstance(owner, UnionType) else [owner]:
                if isinstance(proper := get_proper_type(one), Instance):
                    found.update(f"{base.name}.{node.name}" for base in proper.type.mro)
    return found


def _spots(path: Path) -> Iterator[tuple[str, int, int, int | None]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Attribute):
            yield node.attr, node.lineno, node.col_offset, node.end_col_offset


def _module(path: Path) -> str:
    parts = path.relative_to(PROXY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.slow
def test_every_member_of_the_policy_is_read_by_the_code_that_obeys_it() -> None:
    """By type, since many have a name that others have too: `enabled`, `path`, `key`."""
    members = {
        f"{shape.__name__}.{field.name}"
        for module in (
            model,
            model_changes,
            model_identity,
            model_rates,
            model_targets,
            node_settings,
            line_sampling,
            rules,
            rate,
        )
        for shape in vars(module).values()
        if isinstance(shape, type) and is_dataclass(shape) and shape.__module__ == module.__name__
        for field in fields(shape)
    }
    read = members_read()
    assert "Route.cache" in read
    unread = sorted(members - read - WITHIN_THE_POLICY)
    assert unread == [], "nothing outside proxy/veneer/policy reads these, so nothing obeys the keys that fill them in"
