"""A fresh install must be possible and repeatable: locked versions satisfy the ranges, each part has what it needs."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.support.sources import imported_names

ROOT = Path(__file__).resolve().parents[2]
PRODUCTS = {"proxy": "veneer", "backend": "etter"}
OTHERS = ("devstack", "checks", "tests", "benchmarks")
# Parts of what is declared, imported under their own names.
TRANSITIVE = {"packaging", "pydantic-core", "opentelemetry-api", "opentelemetry-proto"}
# Declared, and not imported by name.
OTHERWISE_USED = {
    "veneer": {"opentelemetry-exporter-otlp-proto-http", "opentelemetry-sdk", "mypy"},
    "etter": {"opentelemetry-exporter-otlp-proto-http", "opentelemetry-sdk"},
}
OWN = {*PRODUCTS.values(), *OTHERS, "compression"}  # the last is Python 3.14's own


def _of_product(folder: str) -> list[Requirement]:
    project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text("utf-8"))["project"]
    return [Requirement(text) for text in chain(project["dependencies"], *project["optional-dependencies"].values())]


def _of_tools() -> list[Requirement]:
    lines = (ROOT / ".ci/requirements.txt").read_text("utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def _required() -> list[Requirement]:
    return [*chain.from_iterable(map(_of_product, PRODUCTS)), *_of_tools()]


def _for_building(folder: str) -> list[Requirement]:
    """What the build brings along for itself."""
    text = (ROOT / folder / "pyproject.toml").read_text("utf-8")
    return [Requirement(one) for one in tomllib.loads(text)["build-system"]["requires"]]


def _locked() -> list[Requirement]:
    return [Requirement(line) for line in (ROOT / ".ci/constraints.txt").read_text("utf-8").split("\n") if line]


def _version(locked: Requirement) -> Version:
    (pin,) = locked.specifier
    assert pin.operator == "==", locked
    return Version(pin.version)


def _names(requirements: list[Requirement]) -> set[str]:
    return {canonicalize_name(one.name) for one in requirements}


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


def test_the_products_ask_for_one_range_of_what_both_use() -> None:
    proxy, backend = (
        {canonicalize_name(one.name): str(one.specifier) for one in _of_product(folder)} for folder in PRODUCTS
    )
    shared = proxy.keys() & backend.keys()
    assert "aiohttp" in shared
    assert {name: proxy[name] for name in shared} == {name: backend[name] for name in shared}


def test_the_lock_has_each_name_once_in_order() -> None:
    names = [one.name.lower() for one in _locked()]
    assert len(set(names)) == len(names)
    assert names == sorted(names)


@pytest.mark.parametrize("folder", PRODUCTS)
def test_what_a_product_imports_it_declares_itself(folder: str) -> None:
    """What the other product or a tool brings along is missing where this one is installed alone."""
    declared = _names([*_of_product(folder), *_for_building(folder)])
    assert _undeclared(ROOT / folder, declared) == {}


@pytest.mark.parametrize("top", OTHERS)
def test_what_is_imported_is_declared(top: str) -> None:
    """A module that happens to be installed here may be missing in a fresh clone."""
    assert _undeclared(ROOT / top, _names(_required())) == {}


@pytest.mark.parametrize("folder", PRODUCTS)
def test_what_a_product_declares_it_imports(folder: str) -> None:
    by_module = _by_module()
    imported = set(chain.from_iterable(_imported(path) for path in (ROOT / folder).rglob("*.py")))
    used = {canonicalize_name(name) for module in imported for name in by_module.get(module, [module])}
    declared = _names(_of_product(folder))
    # The backport is needed, and there, only where Python lacks the module.
    unused = declared - used - OTHERWISE_USED[PRODUCTS[folder]]
    assert unused - ({"backports-zstd"} if "compression" in imported else set()) == set()


def _undeclared(directory: Path, declared: set[str]) -> dict[str, set[str]]:
    """Modules that are imported below a directory and belong to nothing declared, with the files that import them."""
    by_module = _by_module()
    missing: dict[str, set[str]] = {}
    for path in directory.rglob("*.py"):
        for module in _imported(path) - OWN - sys.stdlib_module_names:
            # An extra that is not installed here is known by its name alone: opentelemetry-sdk for opentelemetry.
            named_alike = [name for name in declared if name.startswith(module.replace("_", "-"))]
            distributions = {canonicalize_name(name) for name in by_module.get(module, named_alike)}
            elsewhere = canonicalize_name(module) in _beside(path)
            if not elsewhere and not distributions & (declared | TRANSITIVE):
                missing.setdefault(module, set()).add(str(path.relative_to(ROOT)))
    return missing


@cache
def _by_module() -> Mapping[str, list[str]]:
    """Which distributions have a module; reading what is said of all that is installed takes long."""
    return packages_distributions()


def _beside(path: Path) -> set[str]:
    """What a program that runs in an environment of its own declares beside itself."""
    lines = chain.from_iterable(file.read_text("utf-8").split() for file in path.parent.glob("*requirements.txt"))
    names = {canonicalize_name(Requirement(line).name) for line in lines}
    return names | {name.removesuffix("2") for name in names}  # fastapi-cache2 is imported as fastapi_cache


def _imported(path: Path) -> set[str]:
    return {module.partition(".")[0] for module, _ in imported_names(path)}
