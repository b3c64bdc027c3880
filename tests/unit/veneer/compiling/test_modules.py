"""The list of what is compiled names modules that are there, and every module of the core or says why not."""

from __future__ import annotations

from veneer.compiling.build import ROOT, modules

NOT_COMPILED = {"__init__.py", "record.py", "remembered.py", "stored_record.py"}
"""Makers of Structs, a dict of our own, and what holds nothing."""


def test_each_module_is_there_and_named_once_in_order() -> None:
    listed = modules()
    assert listed == sorted(set(listed))
    assert all((ROOT / name).is_file() for name in listed)


def test_the_whole_core_is_compiled() -> None:
    core = {path.name for path in (ROOT / "veneer" / "core").glob("*.py")}
    assert {name.rpartition("/")[2] for name in modules() if name.startswith("veneer/core/")} == core - NOT_COMPILED
