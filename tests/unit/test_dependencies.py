"""A fresh install must be possible and repeatable: the locked versions satisfy the ranges."""

from __future__ import annotations

import tomllib
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]


def _required() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return [Requirement(text) for text in chain(project["dependencies"], *project["optional-dependencies"].values())]


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
