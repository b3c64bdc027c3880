"""`veneer schema`: the JSON Schema of policies.yaml, for editors that complete and check as one writes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping

from veneer.policy.json_schema import render


def add_schema_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `schema`."""
    parser.description = (
        "Print the JSON Schema of policies.yaml. Keep it in a file, and begin policies.yaml with "
        "`# yaml-language-server: $schema=FILE`."
    )


def schema_command(_arguments: argparse.Namespace, _environment: Mapping[str, str]) -> int:
    """0."""
    sys.stdout.write(render())
    return 0
