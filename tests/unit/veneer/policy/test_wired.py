"""An option that nothing reads would be a promise nobody keeps."""

import ast
from dataclasses import fields, is_dataclass
from pathlib import Path

from veneer.core import rules
from veneer.policy import model

PROXY = Path(__file__).parents[4] / "proxy" / "veneer"

WITHIN_THE_POLICY = {"conditions", "tag_templates", "invalidation_templates", "matcher", "is_empty"}
"""Read by the policy itself, when it matches, fills in or is replaced."""


def read_outside() -> set[str]:
    paths = [path for path in PROXY.rglob("*.py") if path.parent.name != "policy"]
    return {
        node.attr
        for path in paths
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
    }


def test_every_option_is_read_by_somebody() -> None:
    options = {
        field.name
        for module in (model, rules)
        for shape in vars(module).values()
        if isinstance(shape, type) and is_dataclass(shape) and shape.__module__ == module.__name__
        for field in fields(shape)
    }
    assert options - read_outside() - WITHIN_THE_POLICY == set()
