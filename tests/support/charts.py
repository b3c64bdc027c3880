"""Kubernetes manifests and the Helm chart as typed documents, rendered and judged by tools that `make` installs.

Helm itself is in no package registry. Its templates are Go's with the functions of Sprig, and so are those of the
renderer; the few that Helm adds (`include`, `tpl`, `lookup`) it does not know, and the chart does not use.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ROOT / "deploy" / "kubernetes" / "sidecar.yaml"
CHART = ROOT / "deploy" / "helm" / "veneer"
OLDEST = "1.30"
"""Containers sleep before they stop (preStop.sleep) from that Kubernetes on."""

Document = dict[str, Any]
"""One resource."""


def documents(text: str) -> dict[str, Document]:
    """The resources in a text, by kind; there is one of each."""
    found: list[Document] = [one for one in yaml.safe_load_all(text) if one]
    assert len({one["kind"] for one in found}) == len(found)
    return {one["kind"]: one for one in found}


def default_values() -> Document:
    """The chart's own values."""
    found: Document = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    return found


def rendered(values: Mapping[str, object]) -> dict[str, Document]:
    """What the chart makes of the values. A value that a template asks for and nobody gives is an error."""
    text = "---\n".join(_rendered_files({**default_values(), **values}))
    return documents(text)


def _rendered_files(values: Mapping[str, object]) -> Iterator[str]:
    render: Callable[[Path, Mapping[str, object]], bytes] = _module("go_template").render
    facts = {
        "Values": values,
        "Chart": yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8")),
        "Release": {"Name": "shop", "Namespace": "default", "Service": "Helm"},
    }
    for template in sorted((CHART / "templates").iterdir()):
        text = render(template, facts).decode("utf-8")
        assert "template failed" not in text, text
        if template.suffix == ".yaml":
            yield f"{text.rstrip()}\n"


def problems(document: Document) -> list[str]:
    """What the schemas of the oldest and the newest Kubernetes say against a resource; no unknown key is let pass."""
    tool = _module("kubernetes_validate")
    found: list[str] = []
    for version in (OLDEST, tool.latest_version()):
        try:
            tool.validate(document, version, strict=True)
        except tool.ValidationError as error:
            found.append(f"{version}: {document['kind']}: {error.message}")
    return found


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:
        pytest.skip(f"{name} is not to be had on this machine: {error}")
