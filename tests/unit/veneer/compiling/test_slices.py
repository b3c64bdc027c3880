"""mypyc may make a call in a slice's bounds twice (findings/mypyc-calls-in-slice-bounds.sh): none may change things."""

from __future__ import annotations

import ast

from veneer.compiling.build import ROOT, modules

CHANGE_NOTHING = {"len", "min", "max", "find", "rfind", "index", "rindex", "end"}


def called_in_bounds(source: str) -> set[str]:
    """The names of what is called within the bounds of slices."""
    slices = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Slice)]
    calls = [call for node in slices for call in ast.walk(node) if isinstance(call, ast.Call)]
    return {call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func) for call in calls}


def test_no_call_in_the_bounds_of_a_slice_changes_anything() -> None:
    found = {path: called_in_bounds((ROOT / path).read_text("utf-8")) - CHANGE_NOTHING for path in modules()}
    assert not {path: names for path, names in found.items() if names}


def test_such_a_call_would_be_found() -> None:
    assert called_in_bounds("a[:len(b)]\nc[reader.split(raw):]\n") == {"len", "split"}
