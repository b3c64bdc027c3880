"""A fresh install must be possible and repeatable: the locked versions satisfy the ranges."""

from __future__ import annotations

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
# Parts of what is declared, imported under their own names.
TRANSITIVE = {"packaging", "pydantic-core", "opentelemetry-api", "opentelemetry-proto"}


def _required() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return [Requirement(text) for text in chain(project["dependencies"], *project["optional-dependencies"].values())]


def _for_building() -> list[Requirement]:
    """What the build brings along for itself."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    return [Requirement(one) for one in tomllib.loads(text)["build-system"]["requires"]]


def _locked() -> list[Requirement]:
    return [Requirement(line) for line in (ROOT / ".ci/constraints.txt").read_text("utf-8").split("\n") if line]


def _version(locked: Requirement) -> Version:
    (pin,) = locked.specifier
    assert pin.operator == "==", locked
    return Version(pin.version)


def test_every_dependency_is_locked_within_its_range() -> None:
    locked = {canonicalize_name(one.name): _version(one) for one in _locked()}
    required = _required()
    assert len(required) > 20
    for one in required:
        assert canonicalize_name(one.name) in locked, f"{one.name}: run `make lock`"
        assert one.specifier.contains(locked[canonicalize_name(one.name)]), one


def test_every_dependency_has_a_lower_and_an_upper_bound() -> None:
    for one in _required():
        if not one.name.startswith("types-"):
            assert {spec.operator for spec in one.specifier} >= {">=", "<"}, one


def test_the_lock_has_each_name_once_in_order() -> None:
    names = [one.name.lower() for one in _locked()]
    assert len(set(names)) == len(names)
    assert names == sorted(names)


def test_what_is_imported_is_declared() -> None:
    """A module that happens to be installed here may be missing in a fresh clone."""
    declared = {canonicalize_name(one.name) for one in (*_required(), *_for_building())}
    by_module = packages_distributions()
    own = {"proxy", "backend", "tests", "benchmarks", "compression"}  # the last is Python 3.14's own
    missing: dict[str, set[str]] = {}
    for path in chain.from_iterable((ROOT / top).rglob("*.py") for top in ("proxy", "backend", "tests", "benchmarks")):
        for module in _imported(path) - own - sys.stdlib_module_names:
            # An extra that is not installed here is known by its name alone: opentelemetry-sdk for opentelemetry.
            named_alike = [name for name in declared if name.startswith(module.replace("_", "-"))]
            distributions = {canonicalize_name(name) for name in by_module.get(module, named_alike)}
            elsewhere = canonicalize_name(module) in _beside(path)
            if not elsewhere and not distributions & (declared | TRANSITIVE):
                missing.setdefault(module, set()).add(str(path.relative_to(ROOT)))
    assert missing == {}


def _beside(path: Path) -> set[str]:
    """What a program that runs in an environment of its own declares beside itself."""
    lines = chain.from_iterable(file.read_text("utf-8").split() for file in path.parent.glob("*requirements.txt"))
    names = {canonicalize_name(Requirement(line).name) for line in lines}
    return names | {name.removesuffix("2") for name in names}  # fastapi-cache2 is imported as fastapi_cache


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return names
